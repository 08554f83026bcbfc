"""Every command of the two walks through the docs is one that our parsers, or the host's, accept."""

import re
import shlex
from pathlib import Path

import pytest

from openrlhf_unlearn.cli.check import check_verb
from openrlhf_unlearn.host.flags import check_launch

DOCS = Path(__file__).parents[2] / "docs"
LINES = [
    line
    for name in ("guide.md", "other_frameworks.md")
    for block in re.findall(r"```bash\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("pip ")
]


@pytest.mark.parametrize("line", LINES)
def test_the_command_is_accepted(line):
    words = shlex.split(line, comments=True)
    if words[0] == "openrlhf-unlearn":
        check_verb(words[1:])
    else:
        assert words[:3] == ["python", "-m", "openrlhf.cli.train_ppo"]
        check_launch("train_ppo", words[3:])
