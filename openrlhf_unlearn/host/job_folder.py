"""Paths of a training that Ray started from a package of its own: `ray job submit --working-dir .`.

Ray unpacks that folder on every node, runs the command in its copy, and deletes it when the job is over. A relative
path there names something that no other node sees and that is gone afterwards.
"""

from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn.errors import UsageError

WRITTEN = ("ckpt.output_dir", "ckpt.path", "unlearn.run_dir", "logger.tensorboard_dir")
READ = (
    "actor.model_name_or_path",
    "data.prompt_dataset",
    "eval.dataset",
    "reward.remote_url",
    "unlearn.filter",
    "unlearn.sampler",
    "unlearn.hints",
    "unlearn.advantage",
    "unlearn.expert_traces",
    "unlearn.only_prompts",
    "unlearn.skip_prompts",
    "unlearn.answer_format",
)


def is_unpacked(folder: Path) -> bool:
    """Whether Ray made this folder of a job's package."""
    return any(part.startswith("_ray_pkg_") for part in folder.parts)


def check_job_folder(args: SimpleNamespace, folder: Path) -> None:
    """Refuse relative paths where `folder`, the working directory, is Ray's own copy. Raises UsageError."""
    if not is_unpacked(folder):
        return
    for flag in (*WRITTEN, *READ):
        group, name = flag.split(".")
        value = getattr(getattr(args, group), name, None)
        # A hub id is no path; a file may have a name behind it, as in filter.py:Name.
        pieces = [piece.strip().split(":")[0] for piece in str(value or "").split(",")]
        here = flag in WRITTEN or any((folder / piece).exists() for piece in pieces)
        if value and here and not all(Path(piece).is_absolute() for piece in pieces):
            raise UsageError(
                f"--{flag} {value} is relative, and this job runs in Ray's own copy of its working directory, which "
                "ends with the job: give absolute paths on a disk that all nodes see, and leave out --working-dir"
            )
