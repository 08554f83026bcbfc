"""examples/real.sh: its launch by the host's own parser; and, where the model is there, the whole of it, short."""

import json
import os
import shlex
from pathlib import Path

import pytest

from openrlhf_unlearn.host.flags import split_flags
from openrlhf_unlearn.store.run_dir import read_json, read_table
from tests.integration.stack import example, short_launches

MODEL = Path(os.environ.get("OPENRLHF_UNLEARN_REAL_MODEL", "real/start"))


def test_the_host_accepts_the_launch_for_models_of_any_size(tmp_path):
    commands = []
    for words in ((), ("--model", "Qwen/Qwen2.5-0.5B")):
        printed = example("real", tmp_path / "out", *words, DRY_RUN="print")
        commands.append(shlex.split(printed.splitlines()[-1]))
    assert split_flags(commands[1][3:])["--actor.model_name_or_path"] == ["Qwen/Qwen2.5-0.5B"]
    for code, text in short_launches([[*words[3:], "--dry_run"] for words in commands]):
        assert code == 0, text
    assert not (tmp_path / "out").exists()


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
    assert "**Only 1 of the script's three trainings ran.**" in page
    assert "| `sum1` | 4 |" in page
