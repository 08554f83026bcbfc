"""What the base installation is for runs without torch, the host and what they bring: here they cannot be imported."""

import itertools
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn import cli
from openrlhf_unlearn.host import doctor
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from tests.report import worlds

ROOT = Path(__file__).parents[1]
BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {
            "torch", "transformers", "openrlhf", "ray", "vllm", "deepspeed", "peft", "datasets", "huggingface_hub"
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def python(code: str, *words, cwd) -> str:
    environment = {**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    command = [sys.executable, "-c", BLOCKED + code, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def verbs(*lines: str, cwd, expect: int = 0) -> str:
    """What these command lines print, in one process; the last one ends with the exit code that is expected."""
    code = """
from openrlhf_unlearn.cli import main
sys.stderr = sys.stdout
codes = [main(line.split()) for line in sys.argv[1:]]
print("exit codes", codes)
"""
    out = python(code, *lines, cwd=cwd)
    assert out.endswith(f"exit codes {[0] * (len(lines) - 1) + [expect]}\n"), out[-3000:]
    return out


def test_the_demo(tmp_path):
    out = verbs("demo", cwd=tmp_path)
    run = RunDir.open(tmp_path / "openrlhf-unlearn-demo")
    assert str(run.report) in out and run.report.is_file()
    assert read_json(run.summary)["report"]["hard"] > 0


def test_from_another_frameworks_files_to_a_report_and_back(tmp_path):
    """import, classify, analyze, forecast, regrade and export, as docs/other_frameworks.md has them."""

    def rows(step):
        for i, k in itertools.product(range(12), range(4)):
            right = (i + k + step) % 2
            response = rf"so \boxed{{{i + right}}}"
            yield {
                "prompt": f"{i} + 1 =",
                "response": response,
                "label": str(i + 1),
                "step": step,
                "reward": float(right),
            }

    for name, steps in (("training", (1, 2)), ("initial", (0,)), ("final", (3,))):
        lines = (json.dumps(row) + "\n" for step in steps for row in rows(step))
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    out = verbs(
        "import jsonl training.jsonl --columns step=step --run run --save-rollouts 4",
        "import jsonl initial.jsonl --columns step=step --run run --tag initial",
        "import jsonl final.jsonl --columns step=step --run run --tag final",
        "classify run",
        "analyze run --offline --figure-files",
        "regrade run",
        "export run --format skip --groups easy --output skip.json",
        "export run --format dataset --output labelled",
        cwd=tmp_path,
        expect=1,
    )
    assert "pip install datasets" in out.splitlines()[-2]
    run = RunDir.open(tmp_path / "run")
    assert len(read_json(tmp_path / "skip.json")) == read_table(run.learnability).num_rows == 12
    assert run.report.is_file()


def test_a_whole_run_with_probes_and_judgements(tmp_path):
    run = worlds.whole_run(tmp_path / "run")
    verbs("classify run", "analyze run --offline", cwd=tmp_path)
    assert read_json(run.summary)["report"]["similarity"]


def test_the_doctor_says_what_works_and_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "installed", lambda package: None)
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (failed,) = [line for line in lines if line.startswith("FAIL")]
    assert "openrlhf" in failed and "README" in failed
    assert any(line.startswith("ok") and "analyze" in line for line in lines)


def test_the_examples_are_copied_and_replace_nothing(tmp_path, capsys):
    assert cli.main(["examples", str(tmp_path)]) == 0
    copied = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert copied == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "examples").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert cli.main(["examples", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_gradients_are_compared_without_torch(tmp_path):
    """They are made by another machine, or another framework."""
    out = python(
        """
import numpy as np
from openrlhf_unlearn import Gradients, similarity
one_each = np.ones((3, 2), dtype=int)
units = np.random.default_rng(0).normal(1, 0.1, (3, 2, 5))
total = units.sum(1)
dots = np.einsum("pud,pd->pu", units, total)
gradients = Gradients(["a", "b", "c"], total / 2, one_each, (units**2).sum(2), dots, units, one_each.sum(1))
print(similarity(gradients).plain[:, 0].min() > 0.9, "torch" in sys.modules)
""",
        cwd=tmp_path,
    )
    assert out == "True False\n"


def test_the_page_of_the_interface_has_every_public_name():
    text = (ROOT / "docs" / "api.md").read_text()
    names = set(openrlhf_unlearn.__all__) - {"__version__"}
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_the_public_names():
    """Each is there, under the name that it has at home; importing the package alone loads none of them."""
    without_torch = {*openrlhf_unlearn.__all__} - {"prompt_gradients"}
    for name in openrlhf_unlearn.__all__ if find_spec("torch") else without_torch:
        assert getattr(openrlhf_unlearn, name) is not None
    assert set(openrlhf_unlearn.__all__) <= set(dir(openrlhf_unlearn))
    with pytest.raises(AttributeError, match="nothing"):
        _ = openrlhf_unlearn.nothing
    code = "import sys, openrlhf_unlearn; print([name for name in sys.modules if 'pyarrow' in name or 'numpy' in name])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
