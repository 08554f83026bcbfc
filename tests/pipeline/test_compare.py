"""`openrlhf-unlearn compare` on runs with known pass rates."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.labels.classify import classify, save
from openrlhf_unlearn.pipeline import compare
from openrlhf_unlearn.report.numbers import look_up, show
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.locks import lock_file
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from tests.labels.runs import make_run
from tests.report.test_page import read
from tests.tables import of_dicts

HARD = 30


def runs(folder, after, again=None):
    """30 unlearnable and 10 learnable prompts; `after`: positives of 32 in the second run, `again` in the repeated."""
    initial, final = [1] * (HARD + 10), [0] * HARD + [16] * 10
    before = make_run(folder / "before", initial, final, seed=1)
    made = {"before": before, "after": make_run(folder / "after", initial, after, seed=2)}
    made["repeat"] = make_run(folder / "repeat", initial, again or final, seed=3)
    save(classify([before.path]), [before.path])
    return {name: str(run.path) for name, run in made.items()}


def test_a_remedy_in_numbers_and_sentences(tmp_path, capsys):
    given = runs(tmp_path, [16] * 20 + [0] * 10 + [16] * 8 + [0] * 2)
    words = ["compare", given["before"], given["after"], "--repeat", given["repeat"]]
    assert cli.main([*words, "--format", "json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    solved = {row["group"]: row for row in numbers["solved"]}
    assert (solved["unlearnable"]["prompts"], solved["unlearnable"]["solved"]) == (HARD, 20)
    assert solved["unlearnable"]["by_luck"] < 1 and solved["unlearnable"]["repeat"] == 0
    assert (solved["learnable"]["prompts"], solved["learnable"]["solved"]) == (10, 8)
    paired = [row for row in numbers["pass_rates"] if row["group"] == "unlearnable" and row["number"] == 1]
    assert paired[0]["difference"] == np.mean([0.5] * 20 + [0.0] * 10)
    assert [row["rollouts"] for row in numbers["spent"]] == [2 * 8 * 40] * 3
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert ": more than in this one repeated run; how much seeds differ is not known." in said
    mean = next(line for line in said.splitlines() if line.startswith(f"mean pass@1, unlearnable, {given['after']}: "))
    assert "0.333, difference +0.333 (+" in mean and mean.endswith("to the run before (30 prompts)")


def test_several_repeated_runs_tell_what_another_seed_gives(tmp_path, capsys):
    given = runs(tmp_path, [16] * 20 + [0] * 10 + [16] * 10)
    again = [given["repeat"]]
    for number, solved in enumerate((2, 3), 1):
        finals = [16] * solved + [0] * (HARD - solved) + [16] * 10
        again.append(str(make_run(tmp_path / f"repeat{number}", [1] * (HARD + 10), finals, seed=5).path))
    assert cli.main(["compare", given["before"], given["after"], "--repeat", *again]) == 0
    said = capsys.readouterr().out
    assert "3 repeated runs 0 to 3, a difference" in said and " for another seed): more than another seed" in said
    row = next(line for line in said.splitlines() if line.startswith("unlearnable"))
    assert row.split()[1:3] == ["30", "20"] and " 1.7 " in row
    assert cli.main(["analyze", given["after"], "--offline", "--figure-files", "--format", "md"]) == 0
    html = RunDir(given["after"]).report.read_text()
    assert "3 repeated runs 0 to 3" in capsys.readouterr().out and "By repeated runs (mean)" in html
    assert all(f'<span class="given">{run}</span>' in html for run in again)


def test_a_repeat_that_is_no_null_is_refused(tmp_path, capsys):
    given = runs(tmp_path, [0] * HARD + [16] * 10)
    few = make_run(tmp_path / "few", [1] * (HARD + 10), [1] * (HARD + 10), n=8, seed=4)
    words = ["compare", given["before"], given["after"], "--repeat"]
    assert cli.main([*words, given["repeat"], str(few.path)]) == 1
    refusal = capsys.readouterr().err
    assert f"{few} was evaluated with 8 samples a prompt, the other one with 32" in refusal
    assert f"evaluate --run {few} --tag final -n 32" in refusal
    other = make_run(tmp_path / "other", [1], [1], seed=9)
    rows = [row | {"prompt_id": "0" * 16} for row in read_table(other.evaluation("final")).to_pylist()]
    of_dicts(Evaluations, rows).write(other, "final")
    assert cli.main([*words, str(other.path)]) == 1
    assert "have evaluated no prompt in common" in capsys.readouterr().err


def test_mean_pass_rates_are_set_against_the_repeated_runs_too(tmp_path, capsys):
    given = runs(tmp_path, [16] * 20 + [0] * 10 + [16] * 10, again=[8] * HARD + [16] * 10)
    words = ["compare", given["before"], given["after"]]
    assert cli.main([*words, "--repeat", given["repeat"], "--format", "json"]) == 0
    rows = {row["group"]: row for row in json.loads(capsys.readouterr().out)["to_repeats"]}
    assert rows["unlearnable"]["difference"] == pytest.approx(20 / 30 * 0.5 - 0.25)
    assert cli.main([*words, "--repeat", given["repeat"]]) == 0
    said = capsys.readouterr().out
    assert f"mean pass@1, unlearnable, {given['after']} less the repeated: difference +0.083 (" in said
    assert "its own samples chose the groups" in said
    assert cli.main(words) == 0
    assert "less the repeated" not in capsys.readouterr().out


def test_solved_is_by_the_tau_that_parted_the_groups(tmp_path, capsys):
    """By another one, what was never solved would be lost: all `learnable` prompts have a rate of 0.5 in every run."""
    given = runs(tmp_path, [0] * HARD + [16] * 10)
    words = ["compare", given["before"], given["after"], "--format", "json"]
    assert cli.main([*words, "--tau", "0.6"]) == 1
    refusal = capsys.readouterr().err
    assert (
        "--tau 0.6: " in refusal and "was classified with 0.1; leave --tau out, or first: openrlhf-unlearn" in refusal
    )
    assert cli.main(shlex.split(refusal.partition("first: openrlhf-unlearn ")[2])) == 0
    capsys.readouterr()
    for tau in (["--tau", "0.6"], []):  # classified with another than the default, which is taken
        assert cli.main([*words, *tau]) == 0
        numbers = json.loads(capsys.readouterr().out)
        assert numbers["tau"] == 0.6 and {row["group"]: row["solved"] for row in numbers["solved"]} == {
            "unlearnable": 0
        }
        assert numbers["solved"][0]["prompts"] == HARD + 10
    assert cli.main([*words, "--tau", "0.1"]) == 1 and "was classified with 0.6" in capsys.readouterr().err


def test_hinted_prompts_stand_against_the_plain_ones_of_the_same_run(monkeypatch):
    """Against the run before, the difference would be of hint and training together."""
    probes = [{"p": SimpleNamespace(corrected=np.full(4, value))} for value in (0.1, 0.4)]
    runs = [SimpleNamespace(probes=probe, first=None) for probe in probes]
    material = SimpleNamespace(interventions=runs, groups=np.array(["unlearnable"] * 4))
    monkeypatch.setattr(compare, "hinted_cosines", lambda *_: {"p": np.array([0.6, 0.7, 0.6, 0.7])})
    found = compare.cosines(material, Path("hint_50.jsonl"))
    assert [(rows[0]["before"], rows[0]["after"]) for rows in found.values()] == [
        (0.1, 0.4),
        (0.4, pytest.approx(0.65)),
    ]
    said = compare.as_text({"solved": [], "pass_rates": [], "runs": [], "spent": [], "cosines": found}, [])
    plain, hinted = said.strip().splitlines()[1:]
    assert "probe p, unlearnable: 0.100 before, 0.400 after, difference +0.300" in plain
    assert "probe p, unlearnable: 0.400 plain, 0.650 hinted, difference +0.250 (+0." in hinted


def test_the_same_run_again_is_no_remedy(tmp_path, capsys):
    given = runs(tmp_path, [0] * HARD + [16] * 10)
    assert cli.main(["compare", given["before"], given["after"], "--repeat", given["repeat"]]) == 0
    said = capsys.readouterr().out
    assert "no difference is shown" in said and "repeated run;" not in said


def test_the_report_of_the_run_after_shows_it_and_no_other_report_does(tmp_path, capsys):
    """As many solved as by repeating, but other prompts: an interval around zero, which is said to be no difference."""
    given = runs(tmp_path, [0] * (HARD - 3) + [16] * 3 + [16] * 10, again=[16] * 3 + [0] * (HARD - 3) + [16] * 10)
    assert cli.main(["compare", given["before"], given["after"], "--repeat", given["repeat"]]) == 0
    capsys.readouterr()
    for name in ("before", "after"):
        assert cli.main(["analyze", given[name], "--offline", "--figure-files", "--format", "md"]) == 0
        said, html = capsys.readouterr().out, RunDir(given[name]).report.read_text()
        assert ("no difference is shown" in said) == ('id="remedy"' in html) == (name == "after")
    report, page = read_json(RunDir(given["after"]).summary)["report"], read(html)
    (unlearnable,) = [row for row in report["remedy"]["solved"] if row["group"] == "unlearnable"]
    assert (unlearnable["solved"], unlearnable["repeat"]) == (3, 3)
    assert html.count(": none shown</small>") == 2, "of the learnable all are solved in both, with an interval too"
    shown = [(about, text) for about, text in page.numbers if about["data-key"].startswith("remedy.")]
    assert len(shown) > 20
    assert all(text == show(look_up(report, about["data-key"]), about["data-kind"]) for about, text in shown)


def test_a_run_that_cannot_be_written_is_compared_all_the_same(tmp_path, capsys, monkeypatch):
    given = runs(tmp_path, [0] * HARD + [16] * 10)
    lock_file(RunDir(given["after"]).summary).symlink_to(tmp_path)  # what is written needs the lock
    assert cli.main(["compare", given["before"], given["after"]]) == 0
    said = capsys.readouterr()
    assert "unlearnable" in said.out and "will not show this" in said.err


def test_bad_input_is_one_line(tmp_path, capsys):
    given = runs(tmp_path, [0] * HARD + [16] * 10)
    for words, says in [
        ((given["before"], given["before"]), "the same run is given twice"),
        ((given["after"], given["before"]), "is not classified: openrlhf-unlearn classify"),
        (
            (given["before"], given["after"], "--hints", given["before"] + "/hints.jsonl"),
            "say how its prompts were made; compare without --hints",
        ),
        (
            (given["before"], given["after"], "--final", "step9"),
            "step9.parquet is missing; make it: openrlhf-unlearn evaluate --run",
        ),
    ]:
        assert cli.main(["compare", *words]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line
