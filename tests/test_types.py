"""The types of the rooms that pyright finds no fault in, some in its strict mode (pyproject.toml says which)."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.host.doctor import installed

ROOT = Path(__file__).parents[1]
ROOMS = (
    "causes", "cli", "collect", "evaluation", "exchange", "filters", "grading", "host", "interventions", "labels",
    "machine", "pipeline", "probe", "report", "samplers", "stats", "store", "transfer", "worlds",
)  # fmt: skip
STUBS = sorted((ROOT / "typings" / "pyarrow").glob("*.pyi"))


def test_the_rooms_have_no_type_error():
    """With the host, whose pins choose the version of NumPy: what a stub says differs from one to the next."""
    check_types([f"openrlhf_unlearn/{room}" for room in ROOMS], ("basedpyright", "scipy-stubs", "openrlhf"))


def test_what_users_write_is_type_checked():
    """Right uses have no error, and wrong ones have theirs: `uses.py` asks for both."""
    check_types(["tests/uses.py", "openrlhf_unlearn/__init__.py", "openrlhf_unlearn/options.py"], ("basedpyright",))


def test_type_checkers_see_every_public_name():
    tree = ast.parse(Path(openrlhf_unlearn.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname for node in imports for alias in node.names} - {None} | {"save_labels", "__version__"}
    assert seen == set(openrlhf_unlearn.__all__)
    for node in imports:
        for alias in node.names:
            there = getattr(importlib.import_module(str(node.module)), alias.name)
            called = getattr(openrlhf_unlearn, alias.asname or "save_labels")
            assert called is there or called.__name__.endswith(f".{alias.name}"), alias.name  # a package as a verb


def test_a_public_class_has_no_namesake():
    package = Path(openrlhf_unlearn.__file__).parent
    files = [ast.parse(path.read_text(encoding="utf-8")).body for path in package.rglob("*.py")]
    classes = [node.name for body in files for node in body if isinstance(node, ast.ClassDef)]
    assert not {name for name in openrlhf_unlearn.__all__ if classes.count(name) > 1}


def check_types(paths: list[str], packages: tuple[str, ...]) -> None:
    for package in packages:
        if not installed(package):
            pytest.skip(f"{package} is not installed: pip install {package}")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--level", "error", *paths]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.stem)
def test_what_the_stubs_say_of_pyarrow_is_there(stub):
    module = importlib.import_module("pyarrow" if stub.stem == "__init__" else f"pyarrow.{stub.stem}")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    places = [(module, tree.body)]
    for node in classes:  # what a private class of the stubs has, those have that are made from it
        heirs = [c.name for c in classes if node.name in (getattr(base, "id", "") for base in c.bases)]
        places += [(getattr(module, n), node.body) for n in (heirs if node.name.startswith("_") else [node.name])]
    for place, body in places:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                found = getattr(place, node.name)
                given = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)} - {"self", "cls"}
                assert not callable(found) or given <= set(inspect.signature(found).parameters), node.name
