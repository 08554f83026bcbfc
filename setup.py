"""Everything stands in pyproject.toml, except what has to be computed: see there."""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "openrlhf_unlearn" / "__init__.py").read_text())[1]
REPOSITORY = "openrlhf-unlearn/openrlhf-unlearn"


def readme_for_the_index() -> str:
    """README.md as the package index can show it: links and images of this version, by their whole address."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(!\[[^]]*\]\()(?!http)", rf"\1https://raw.githubusercontent.com/{REPOSITORY}/v{VERSION}/", text)
    return re.sub(r"(\]\()(?!http|#)", rf"\1https://github.com/{REPOSITORY}/blob/v{VERSION}/", text)


class BuildWithExamples(build_py):
    """`openrlhf-unlearn examples` copies the scripts from the installed package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            ignore = shutil.ignore_patterns("__pycache__")
            target = Path(self.build_lib, "openrlhf_unlearn", "examples")
            shutil.copytree(ROOT / "examples", target, ignore=ignore, dirs_exist_ok=True)


setup(
    long_description=readme_for_the_index(),
    long_description_content_type="text/markdown",
    cmdclass={"build_py": BuildWithExamples},
)
