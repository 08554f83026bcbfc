"""The house: a room imports only from rooms before it, and only `host` touches OpenRLHF, Ray and vLLM."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import openrlhf_unlearn

PACKAGE = Path(openrlhf_unlearn.__file__).parent
# From the ground up. CONTRIBUTING.md shows the same list.
ROOMS = (
    "masking", "errors", "options", "stats", "store", "machine", "grading", "filters", "samplers", "collect",
    "evaluation", "exchange", "labels", "probe", "causes", "transfer", "worlds", "interventions", "report", "host",
    "pipeline",
    "demo", "cli",
)  # fmt: skip
# Names that others still import: they pass on modules of some room.
OLD_NAMES = {"launcher", "old_names", "reward_math"}
HOST_PACKAGES = {"openrlhf", "ray", "vllm"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "examples" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in the file, by its whole name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_folder_has_its_place():
    assert {room_of(path) for path in MODULES} - {"__init__"} <= {*ROOMS, *OLD_NAMES}


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_goes_up(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :]) | OLD_NAMES
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in MODULES
        if room_of(path) == room
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith("openrlhf_unlearn.") and name.split(".")[1] in above
    ]
    assert not wrong


def test_only_the_host_room_imports_the_host():
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in MODULES
        if room_of(path) != "host"
        for name in imports(ast.Module(ast.parse(path.read_text(encoding="utf-8")).body, []))
        if name.split(".")[0] in HOST_PACKAGES and at_the_top(path, name)
    ]
    assert not wrong


def test_only_the_store_reads_and_writes_tables():
    """All others have `Rewards.read(run)` and its like, and so know neither a file's name nor how a column is spelt."""
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in MODULES
        if room_of(path) not in ("store", *OLD_NAMES)
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name in ("pyarrow.parquet", "pyarrow.dataset")
        or name.startswith("openrlhf_unlearn.store.")
        and name.endswith((".read_table", ".write_table", ".SCHEMAS"))
    ]
    assert not wrong


def at_the_top(path: Path, name: str) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tops = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return name in imports(ast.Module(tops, []))
