"""What vLLM says, kept in a file: on the terminal only its errors, in the file all of it, without secrets.

vLLM reads its logging from a file that VLLM_LOGGING_CONFIG_PATH names, in each of its processes. Who has set that, or a
level of their own, keeps it.
"""

import json
import logging
import os
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import mask_text
from openrlhf_unlearn.store.files import atomic_path

OWN = ("VLLM_LOGGING_CONFIG_PATH", "VLLM_LOGGING_LEVEL", "VLLM_CONFIGURE_LOGGING")


class Masking(logging.Filter):
    """Takes secrets out of a message before it is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_text(record.getMessage()), ()
        return True


def logging_of(log: Path) -> dict:
    """The configuration, for logging.config.dictConfig."""
    kept = {"class": "logging.FileHandler", "filename": str(log), "formatter": "plain", "filters": ["masking"]}
    shown = {"class": "logging.StreamHandler", "level": "ERROR", "formatter": "plain", "filters": ["masking"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
        "filters": {"masking": {"()": f"{__name__}.{Masking.__name__}"}},
        "handlers": {"kept": kept, "shown": shown},
        "loggers": {"vllm": {"handlers": ["kept", "shown"], "level": "INFO", "propagate": False}},
    }


def keep_log(log: Path | None) -> None:
    """Before vLLM is imported. Where the log's folder cannot be written (another node), only errors are shown."""
    if any(name in os.environ for name in OWN):
        return
    try:
        if log is None:
            raise UserError("no log is asked for")
        if log.is_symlink():  # of a received run: it may lead to any file, and would be written to
            raise UserError(f"{log} is a link")
        settings = log.with_name(f".{log.name}.json")
        with atomic_path(settings) as aside:
            aside.write_text(json.dumps(logging_of(log.absolute())), encoding="utf-8")
    except UserError:
        os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"  # its warnings are of no use on the terminal
        return
    os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(settings.absolute())
