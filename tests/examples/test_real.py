"""examples/real.sh where the model is there, the whole of it, short; test_scripts.py checks its launch."""

import json
import os
from pathlib import Path

import pytest

from openrlhf_unlearn.store.run_dir import read_json, read_table
from tests.integration.stack import example

MODEL = Path(os.environ.get("OPENRLHF_UNLEARN_REAL_MODEL", "real/start"))


@pytest.mark.slow
@pytest.mark.skipif(
    "OPENRLHF_UNLEARN_ALL_EXAMPLES" not in os.environ or not (MODEL / "config.json").exists(),
    reason="set OPENRLHF_UNLEARN_ALL_EXAMPLES=1 where real/start is there (examples/real.sh makes it); four minutes",
)
def test_from_the_model_to_the_page(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "start").symlink_to(MODEL.resolve())
    (real / "source.json").write_text(json.dumps(read_json(MODEL.with_name("source.json"))))
    example("real", real, SHORT="1")
    run = real / "run-0" / "run"
    assert read_table(run / "prompts.parquet").num_rows == 8
    assert (run / "report" / "report.html").exists()
    page = (real / "real.md").read_text()
    assert "**Only 1 of three trainings or more ran.**" in page
    assert "| `sum1` | 4 |" in page
