"""What vLLM says goes into the log; its errors to the terminal too, and secrets to neither."""

import json
import logging
import logging.config
import os
from pathlib import Path

import pytest

from openrlhf_unlearn.machine.engine_log import OWN, keep_log


@pytest.fixture
def unset(monkeypatch):
    for name in OWN:
        monkeypatch.setenv(name, "")  # so that what is set here goes at the end
        monkeypatch.delenv(name)
    yield
    for name in OWN:
        os.environ.pop(name, None)
    logging.getLogger("vllm").handlers.clear()


def test_all_is_kept_and_errors_are_shown(tmp_path, unset, capsys):
    log = tmp_path / "logs" / "evaluate-final.log"
    keep_log(log)
    logging.config.dictConfig(json.loads(Path(os.environ["VLLM_LOGGING_CONFIG_PATH"]).read_text()))
    logging.getLogger("vllm.engine").info("loading %s", "weights with hf_abcdefghijklmnopqrst")
    logging.getLogger("vllm.engine").error("out of memory")
    kept, shown = log.read_text(), capsys.readouterr().err
    assert "loading weights with ***" in kept and "out of memory" in kept
    assert "loading" not in shown and "out of memory" in shown


def test_a_log_that_is_a_link_is_not_written_to(tmp_path, unset):
    for name in ("mine", "settings"):
        (tmp_path / name).write_text("precious")
    (tmp_path / "a.log").symlink_to("mine")
    keep_log(tmp_path / "a.log")
    assert os.environ.pop("VLLM_LOGGING_LEVEL") == "ERROR" and "VLLM_LOGGING_CONFIG_PATH" not in os.environ
    (tmp_path / ".b.log.json").symlink_to("settings")
    keep_log(tmp_path / "b.log")
    assert (tmp_path / "mine").read_text() == (tmp_path / "settings").read_text() == "precious"


def test_a_folder_that_cannot_be_written_and_a_level_of_ones_own(tmp_path, unset, monkeypatch):
    (tmp_path / "file").write_text("")
    keep_log(tmp_path / "file" / "a.log")
    assert os.environ["VLLM_LOGGING_LEVEL"] == "ERROR" and "VLLM_LOGGING_CONFIG_PATH" not in os.environ
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    keep_log(tmp_path / "a.log")
    assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG" and not (tmp_path / "a.log").exists()
