"""What vLLM says, kept in a file: on the terminal only its errors, in the file all of it, without secrets.

vLLM reads its logging from a file that VLLM_LOGGING_CONFIG_PATH names, in each of its processes. Who has set that, or a
level of their own, keeps it.
"""

import json
import logging
import os
from pathlib import Path

from openrlhf_unlearn.masking import mask_text

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
            raise OSError("no log is asked for")
        settings = log.with_name(f".{log.name}.json")
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(logging_of(log.absolute())), encoding="utf-8")
    except OSError:
        os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"  # its warnings are of no use on the terminal
        return
    os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(settings.absolute())
