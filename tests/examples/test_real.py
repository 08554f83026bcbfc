"""examples/real.sh where the model is there, the whole of it, short; test_scripts.py checks its launch."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from openrlhf_unlearn.store.run_dir import read_json, read_table
from tests.integration.stack import ROOT, example, kill

MODEL = Path(os.environ.get("OPENRLHF_UNLEARN_REAL_MODEL", "real/start"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "OPENRLHF_UNLEARN_ALL_EXAMPLES" not in os.environ or not (MODEL / "config.json").exists(),
        reason="set OPENRLHF_UNLEARN_ALL_EXAMPLES=1 where real/start is there (examples/real.sh makes it)",
    ),
]
STAGES = {
    "model", "families", "training 0", "evaluation initial", "evaluation 0 halfway", "evaluation 0 final",
    "held out initial", "held out 0", "probe initial", "probe final", "transfer", "diagnose", "report",
}  # fmt: skip


@pytest.fixture
def real(tmp_path):
    """A folder for real.sh that has the model already."""
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "start").symlink_to(MODEL.resolve())
    (folder / "source.json").write_text(json.dumps(read_json(MODEL.with_name("source.json"))))
    return folder


def check(real: Path) -> None:
    """The run is whole, and its page is written."""
    run = real / "run-0" / "run"
    assert read_table(run / "prompts.parquet").num_rows == 8
    assert (run / "report" / "report.html").exists()
    page = (real / "real.md").read_text()
    assert "**Only 1 of three trainings or more ran.**" in page
    assert "| `sum1` | 4 |" in page


def test_from_the_model_to_the_page(real):
    example("real", real, SHORT="1")
    check(real)


@pytest.mark.long("test_from_the_model_to_the_page, which is not killed, and test_replay.py, which kills a training")
def test_killed_in_every_stage_it_goes_on_from_there(real):
    """Each stage is killed with everything below it, at a moment that is drawn, and the training once more."""
    rng, left, killed = random.Random(0), sorted([*STAGES, "training 0"]), []
    while True:
        process = subprocess.Popen(
            ["bash", ROOT / "examples" / "real.sh", real],
            env={"UNLEARN_PYTHON": sys.executable, **os.environ, "SHORT": "1"},
            stdout=(real / "log.txt").open("a"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        stage = next_stage(process, left)
        if stage is None:
            break
        time.sleep(rng.uniform(0, 60 if stage.startswith("training") else 10))
        if process.poll() is not None:
            break
        kill(process)
        left.remove(stage)
        killed.append(stage)
    assert process.wait() == 0, (real / "log.txt").read_text()[-3000:]
    assert len(killed) >= 8, f"killed in {killed} alone: the test shows little"
    check(real)
    steps = [path.name for path in sorted((real / "run-0" / "run" / "rewards").iterdir())]
    assert len(steps) == len(set(steps)) > 0


def next_stage(process: subprocess.Popen, among: list[str]) -> str | None:
    """Waits for a stage of these: real_stages.py watches each under its name. None if the script ends first."""
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.Error:  # it has ended
                continue
            stage = words[3] if words[1:2] == ["examples/real_stages.py"] else None
            if stage in among:
                return stage
        time.sleep(0.1)
    return None
