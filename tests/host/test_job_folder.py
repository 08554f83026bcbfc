"""Relative paths in Ray's copy of a job's folder."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.host.job_folder import READ, WRITTEN, check_job_folder


def arguments(**changes):
    """Absolute paths, hub ids and nothing: what is accepted anywhere."""
    values = {
        **dict.fromkeys(WRITTEN, "/shared/out"),
        **dict.fromkeys(READ),
        "actor.model_name_or_path": "Qwen/Qwen2.5-0.5B",
        "data.prompt_dataset": "/shared/data.jsonl",
        "unlearn.filter": "dynamic",
        **changes,
    }
    groups: dict = {}
    for flag, value in values.items():
        group, name = flag.split(".")
        setattr(groups.setdefault(group, SimpleNamespace()), name, value)
    return SimpleNamespace(**groups)


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "session_1" / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text("")
    return folder


def test_absolute_paths_and_hub_ids_pass(copy):
    check_job_folder(arguments(), copy)
    check_job_folder(arguments(**{"unlearn.run_dir": None, "reward.remote_url": "http://host/score"}), copy)


@pytest.mark.parametrize("flag", WRITTEN)
def test_what_is_written_is_never_relative_there(copy, flag):
    with pytest.raises(UsageError, match=f"--{flag} out is relative, .* absolute paths on a disk that all nodes see"):
        check_job_folder(arguments(**{flag: "out"}), copy)


@pytest.mark.parametrize("flag", READ)
def test_what_is_read_from_the_copy_is_refused(copy, flag):
    for value in ("mine.py:Name", "/shared/a,mine.py"):
        with pytest.raises(UsageError, match=f"--{flag} {value} is relative"):
            check_job_folder(arguments(**{flag: value}), copy)


def test_elsewhere_relative_paths_are_the_users_business(copy):
    check_job_folder(arguments(**{"unlearn.run_dir": "out", "unlearn.filter": "mine.py:Name"}), Path.cwd())
