"""Commands on one run lose no row, double none, and end in no trace, started together.

python -m pytest tests/test_pairs.py                                 all verbs at once, each of them twice
OPENRLHF_UNLEARN_PAIRS=20 python -m pytest tests/test_pairs.py       that 20 times, and every pair alone 20 times
"""

import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest

from openrlhf_unlearn.cli.verbs import VERBS as EVERY
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from tests.integration.stack import ENVIRONMENT
from tests.pairs import ALL, LEFT_OUT, VERBS


def at_once(folder, kind: str, times: str) -> list[dict]:
    """What `python -m tests.pairs` found, a row a crowd or pair."""
    done = subprocess.run([sys.executable, "-m", "tests.pairs", folder, kind, times], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"at once"')]


def test_every_verb_is_tried_or_said_why_not():
    tried = {words.split()[0] for words in ALL.values()}
    assert tried | set(LEFT_OUT) == set(EVERY) and not tried & set(LEFT_OUT)


def test_all_verbs_at_once(tmp_path):
    """Each of them twice, so that every pair of them runs at the same time, also of a verb with itself."""
    (found,) = at_once(tmp_path, "crowd", os.environ.get("OPENRLHF_UNLEARN_PAIRS", "1"))
    assert found == {"at once": [*VERBS, *VERBS], "wrong": []}


@pytest.mark.skipif("OPENRLHF_UNLEARN_PAIRS" not in os.environ, reason="OPENRLHF_UNLEARN_PAIRS=20 asks for it")
def test_every_pair_of_verbs_at_once(tmp_path):
    found = at_once(tmp_path, "pairs", os.environ["OPENRLHF_UNLEARN_PAIRS"])
    assert [tuple(row["at once"]) for row in found] == list(itertools.combinations_with_replacement(VERBS, 2))
    assert [row for row in found if row["wrong"]] == []


@pytest.mark.slow
def test_two_evaluations_at_once_end_with_one_whole_table(world, tmp_path):
    """With an engine: one samples, the other is told who does, whichever came first; and what is finished stays."""
    some, run = tmp_path / "some.jsonl", RunDir(tmp_path / "run")
    some.write_text("".join((world / "train.jsonl").read_text().splitlines(keepends=True)[:24]))
    flags = f"--data {some} --input-key prompt --label-key label --max-len 64 --max-new-tokens 24 -n 8"
    words = (
        f"evaluate --run {run} --tag initial --model {world / 'model'} {flags} --answer-format boxed --dtype float32"
    )
    for times in range(int(os.environ.get("OPENRLHF_UNLEARN_PAIRS", "1"))):
        shutil.rmtree(run.path, ignore_errors=True)
        command = [sys.executable, "-m", "openrlhf_unlearn.cli", *words.split()]
        given = {"env": os.environ | ENVIRONMENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        both = [subprocess.Popen(command, **given) for _ in range(2)]
        said = [process.communicate() for process in both]
        assert sorted(process.returncode for process in both) == [0, 1], (times, said)
        (refused,) = (text for process, (_, text) in zip(both, said, strict=True) if process.returncode)
        assert "is in use by evaluate --tag initial (process" in refused.splitlines()[-1]
        assert "Traceback" not in said[0][1] + said[1][1]
        table = read_table(run.evaluation("initial"), ["prompt_id", "sample"])
        assert len(table) == table.group_by(["prompt_id", "sample"]).aggregate([]).num_rows == 24 * 8
        assert read_json(run.evaluation_json("initial"))["samples"] == 24 * 8
        before = run.evaluation("initial").read_bytes()
        assert subprocess.run(command, capture_output=True).returncode == 0  # there already
        assert run.evaluation("initial").read_bytes() == before
