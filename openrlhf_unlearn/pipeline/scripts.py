"""`openrlhf-unlearn examples`: the scripts of every experiment, where there is no clone.

openrlhf-unlearn examples                                     writes ./examples
UNLEARN_PYTHON=$(which python) bash examples/baseline.sh qwen  one of them, in the environment that is there
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.run_dir import atomic_folder

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class ExamplesOptions(Options):
    """Where the scripts go."""

    into: str = option("where the folder `examples` goes", ".", positional=True, metavar="FOLDER", nargs="?")


OPTIONS = ExamplesOptions


def run(options: ExamplesOptions) -> None:
    source = next(path for path in (PACKAGE / "examples", PACKAGE.parent / "examples") if path.is_dir())
    target = Path(options.into) / "examples"
    with atomic_folder(target) as aside:
        shutil.copytree(source, aside, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    print(f"{target}: {target / 'README.md'} says what each script does")
