"""Benchmarks run by request; that what they import is still there is seen here, and of the report's that it runs."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("torch", "transformers", "openrlhf", "datasets", "ray", "vllm", "deepspeed")


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_what_it_imports_is_there(path):
    try:
        import_all(path)
    except ModuleNotFoundError as error:
        if error.name not in LEFT_OUT:
            raise
        pytest.skip(f"needs {error.name}, which the base installation leaves out")


def import_all(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in ("openrlhf_unlearn", "tests"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_the_reports_benchmark_runs(tmp_path):
    """On few prompts, since the tables that it makes follow the store's; without a browser some numbers are null."""
    command = [sys.executable, ROOT / "benchmarks" / "report.py", "--prompts", "40", "--steps", "2", "--keep", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["prompts"] == 40 and found["bars"].keys() <= found.keys()
    assert 0 < found["megabytes"] < found["bars"]["megabytes"]
