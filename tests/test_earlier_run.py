"""A run directory as version 0.1.0 wrote and finished it (tests/data/run_of_2026_11_26) opens in today's version.

Its learnability.parquet and summary.json are that version's own. The rule of groups has changed since in one place:
a hard prompt that was learned without a reward in training is learnable, and was no_reward. This run has none, so no
group may differ. What its probe was is not in the fixture, so neither are the figures of it.
"""

import shlex
import shutil
from pathlib import Path

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import GROUPS, RunDir, read_json, read_table

EARLIER = RunDir(Path(__file__).parent / "data" / "run_of_2026_11_26")
OF_THE_PROBE = tuple(f"report.figures.{name}" for name in ("interference", "similarity", "spectrum"))


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory) -> RunDir:
    run = RunDir(tmp_path_factory.mktemp("earlier") / """a 'b" $HOME""")
    shutil.copytree(EARLIER.path, run.path)
    for words in (["classify", str(run)], ["analyze", str(run), "--offline", "--figure-files"]):
        assert cli.main(words) == 0
    return run


def columns(run: RunDir, *names: str) -> dict[str, tuple]:
    table = read_table(run.learnability, ["prompt_id", *names])
    return {row["prompt_id"]: tuple(row[name] for name in names) for row in table.to_pylist()}


def names(value: dict, before: str = "") -> set[str]:
    """`report.groups.easy.prompts`, of all that is in there, but for the groups' names, which not all runs have."""
    found = set()
    for name, inner in value.items():
        place = before if name in GROUPS else f"{before}.{name}".strip(".")
        found |= {place} | (names(inner, place) if isinstance(inner, dict) else set())
    return found


def counts(summary: dict) -> tuple:
    """What is counted; what is estimated with it moved with the prior."""
    hard = {name: value["share"] for name, value in summary["classify"]["hard"].items() if name in GROUPS}
    shown = {name: row["prompts"] for name, row in summary["report"]["groups"].items()}
    return summary["classify"]["groups"], hard, shown


def test_every_prompt_keeps_its_group_and_its_rates(analyzed):
    said = ("group", "initial_pass_rate", "final_pass_rate", "ever_positive")
    assert columns(analyzed, *said) == columns(EARLIER, *said)


def test_its_labels_are_read_as_they_are(tmp_path):
    """Without classifying anew: export takes what the earlier version wrote."""
    assert cli.main(["export", str(EARLIER.path), "--output", str(tmp_path / "o.json")]) == 0
    exported = {name: group for group, ids in read_json(tmp_path / "o.json").items() for name in ids}
    assert exported == {name: group for name, (group,) in columns(EARLIER, "group").items()}


def test_what_its_summary_said_is_still_said(analyzed):
    before, now = read_json(EARLIER.summary), read_json(analyzed.summary)
    assert [name for name in sorted(names(before) - names(now)) if not name.startswith(OF_THE_PROBE)] == []
    assert counts(now) == counts(before)


def test_all_its_steps_are_there(analyzed):
    assert len(analyzed.steps()) == 60 and read_json(analyzed.summary)["report"]["training"]["steps"] == 60
    assert {name for name in ("clipping", "likelihood", "rollouts") if analyzed.steps(name) == [1, 2]} == {
        "clipping", "likelihood", "rollouts",
    }  # fmt: skip
    assert analyzed.report.stat().st_size > 100_000


def test_the_commands_of_its_advice_work_though_its_path_has_blanks_and_quotes(analyzed):
    advised = [item["flag"] for item in read_json(analyzed.summary)["report"]["advice"]]
    words = [word for flag in advised for word in shlex.split(flag) if analyzed.path.name in word]
    assert len(words) >= 4 and [word for word in words if not Path(word).exists()] == []
