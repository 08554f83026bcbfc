"""What `analyze` may touch and what may stand in what it writes; code and links of runs from others."""

import csv
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.report.figures.base import write_csv
from openrlhf_unlearn.store.run_dir import read_json, write_json
from openrlhf_unlearn.store.spreadsheet import cell
from tests.labels.runs import make_run


def analyze(*words) -> int:
    return cli.main(["analyze", *map(str, words), "--offline", "--figure-files"])


@pytest.fixture
def run(tmp_path):
    """Six easy prompts, six learnable, six unlearnable, in a folder whose name a shell would take apart."""
    return make_run(tmp_path / "my run; rm $x", [16] * 6 + [1] * 12, [30] * 6 + [20] * 6 + [0] * 6)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_lists_that_it_wrote_itself_are_removed(run, capsys):
    lists = run.report.parent / "lists"
    assert analyze(run) == 0
    written = {path.name for path in lists.iterdir()}
    assert "drop.json" in written
    (lists / "mine.json").write_text("[]")
    (lists / "no_reward.json").write_text('["named like one of ours"]')
    assert analyze(run, "--tau", "0.01") == 0
    assert analyze(run, "--easy", "0.01") == 0  # all are easy: nothing to drop
    assert "drop.json" not in {path.name for path in lists.iterdir()}
    assert {"mine.json", "no_reward.json"} <= {path.name for path in lists.iterdir()}


ODD = {"report": {"advice": [1, {"list": 2}, {"list": ".."}], "figures": ["augmentation"]}}


@pytest.mark.parametrize("before", [{}, {"report": 3}, ODD], ids=str)
def test_figures_that_no_report_names_are_not_removed(run, before):
    """They are called as ours are; and the summary is somebody else's."""
    own = run.report.parent / "augmentation.png"
    own.parent.mkdir()
    own.write_text("mine")
    write_json(run.summary, before)
    assert analyze(run) == 0
    assert own.read_text() == "mine"


@pytest.mark.parametrize("link", ["report", "report/lists", "causes"])
def test_nothing_is_removed_or_overwritten_through_a_link_to_a_folder(run, tmp_path, link, capsys):
    other = tmp_path / "other"
    for name in ("drop.json", "wrong_label.json", "report.html", "augmentation.svg", "lists/drop.json"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text('"mine"')
    (run.path / link).parent.mkdir(exist_ok=True)
    (run.path / link).symlink_to(other)
    before = files(other)
    assert analyze(run) == 1
    assert f"{link} is a link" in capsys.readouterr().err
    assert analyze(run, "--output", tmp_path / "elsewhere") == 0
    assert files(other) == before


def test_nothing_is_removed_or_overwritten_through_a_link_to_a_file(run, tmp_path):
    """A received run whose summary names lists, and whose files lead elsewhere."""
    other, lists = tmp_path / "other", run.report.parent / "lists"
    other.mkdir()
    lists.mkdir(parents=True)
    for place in (lists / "drop.json", lists / "old.json", run.report.parent / "groups.svg"):
        (other / place.name).write_text('"mine"')
        place.symlink_to(other / place.name)
    advice = [{"list": "x/old.json"}, {"list": "../../drop.json"}]
    write_json(run.summary, {"report": {"advice": advice, "figures": {"groups": {}}}})
    before = files(other)
    assert analyze(run) == 0
    assert files(other) == before
    assert not (lists / "drop.json").is_symlink() and not (lists / "old.json").is_symlink()


def test_what_a_link_in_a_report_leads_to_is_not_copied_into_another_run(run, tmp_path):
    again = make_run(tmp_path / "again", [16] * 6 + [1] * 12, [30] * 6 + [20] * 6 + [0] * 6, seed=1)
    (tmp_path / "private").write_text("mine")
    run.report.parent.mkdir()
    (run.report.parent / "notes.txt").symlink_to(tmp_path / "private")
    assert analyze(run, again) == 0
    assert again.report.exists() and not (again.report.parent / "notes.txt").exists()


def test_a_report_elsewhere_leaves_the_run_as_it_is_and_says_the_same(run, tmp_path, capsys):
    before = files(run.path)
    assert analyze(run, "--output", tmp_path / "elsewhere") == 0
    assert capsys.readouterr().out.rstrip().endswith(str(tmp_path / "elsewhere" / "report.html"))
    assert files(run.path) == before
    assert analyze(run) == 0
    there, here = (read_json(path)["report"] for path in (tmp_path / "elsewhere" / "summary.json", run.summary))
    for key in ("groups", "hard", "labelled", "expected_label_errors", "answer", "figures"):
        assert there[key] == here[key]
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} >= {"report.html", "lists", "prompts.csv"}


def test_a_report_elsewhere_that_was_stopped_is_made_again_into_the_same_folder(run, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    for at in ("openrlhf_unlearn.report.write.write_lists", "openrlhf_unlearn.report.write.page"):
        with monkeypatch.context() as patch:
            patch.setattr(at, stopped)
            assert analyze(run, "--output", tmp_path / "elsewhere") == 130
    for _ in range(2):
        assert analyze(run, "--output", tmp_path / "elsewhere") == 0


def test_repetitions_get_the_report_too_and_links_in_its_place_are_replaced(run, tmp_path):
    again = make_run(tmp_path / "again", [16] * 6 + [1] * 12, [30] * 6 + [20] * 6 + [0] * 6, seed=1)
    (tmp_path / "precious").write_text("mine")
    again.report.parent.mkdir()
    again.report.symlink_to(tmp_path / "precious")
    assert analyze(run, again) == 0
    assert (tmp_path / "precious").read_text() == "mine"
    assert again.report.read_bytes() == run.report.read_bytes()


def test_commands_of_the_report_can_be_pasted(run):
    assert analyze(run) == 0
    report = read_json(run.summary)["report"]
    commands = [item["command"] for item in report["missing"]] + [item["flag"] for item in report["advice"]]
    named = [command for command in commands if "my run" in command]
    assert len(named) >= 3
    for command in named:
        words = shlex.split(command)
        assert any(word == str(run) or word.startswith(f"{run}/") for word in words), command


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\tx", "\rx", "=cmd|' /C calc'!A0"])
def test_a_formula_in_csv_is_text(tmp_path, text):
    write_csv(tmp_path / "x.csv", {"run": [text, "plain"], "value": [-1.5, None]})
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert rows == [["run", "value"], [f"'{text}", "-1.5"], ["plain", ""]]


@pytest.mark.parametrize("value", [-1, -0.5, "-3", "+4", "-1e-5", "", "a=b", None, True])
def test_numbers_and_other_text_stay_as_they_are(value):
    assert cell(value) is value


def test_the_page_that_holds_katex_holds_its_licence(tmp_path):
    plain = make_run(tmp_path / "plain", [16, 1], [30, 0])
    assert analyze(plain) == 0
    assert "Khan Academy" not in plain.report.read_text(encoding="utf-8")
    from openrlhf_unlearn.store.run_dir import read_table, write_table

    table = read_table(plain.prompts)
    write_table(plain.prompts, table.set_column(1, "prompt", [[r"\(x^2\)", "y"]]))
    assert analyze(plain) == 0
    assert "Copyright (c) 2013-2020 Khan Academy" in plain.report.read_text(encoding="utf-8")


def test_every_file_is_read_and_written_as_utf_8():
    package = Path(cli.__file__).parent
    words = [sys.executable, "-m", "ruff", "check", "--preview", "--select", "PLW1514", "--isolated", package]
    found = subprocess.run(words, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_a_received_checkpoint_is_not_loaded_unasked(run, tmp_path, monkeypatch):
    """run.json of somebody else names a checkpoint, which is a pickle, as the trained model."""
    (tmp_path / "ckpt" / "_actor" / "global_step1").mkdir(parents=True)
    (tmp_path / "ckpt" / "_actor" / "latest").write_text("global_step1")
    (tmp_path / "ckpt" / "_actor" / "global_step1" / "mp_rank_00_model_states.pt").write_bytes(b"cos\nsystem\n")
    run.evaluation("final").unlink()
    write_json(run.run_json, {**run.config().values, "args": {"ckpt": {"output_dir": str(tmp_path / "ckpt")}}})
    assert cli.main(["analyze", str(run), "--no-probe", "--figure-files"]) == 0
    (missing,) = (item for item in read_json(run.summary)["report"]["missing"] if "after training" in item["what"])
    assert "a received run names a checkpoint, which can hold code" in missing["why"]


def test_an_evaluation_may_be_called_v1_5(run, tmp_path):
    for tag in ("v1", "v1.5"):
        (run.path / "evaluations" / f"{tag}.parquet").write_bytes(run.evaluation("final").read_bytes())
    assert analyze(run) == 0
    assert {"v1", "v1.5"} <= set(read_json(run.summary)["report"]["evaluations"])
    assert 'data-key="evaluations.v1.5.pass_rate"' in run.report.read_text(encoding="utf-8")
