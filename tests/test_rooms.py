"""The house: a room imports only from rooms before it, and only `host` touches OpenRLHF, Ray and vLLM."""

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import openrlhf_unlearn
import openrlhf_unlearn.store
from openrlhf_unlearn.cli.verbs import VERBS
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.training import STEP_KINDS

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
# Keys of JSON, of sheets and of data sets that users hold, of a report's figures and page, of other frameworks' files.
NAMED_SO_ELSEWHERE = {
    "causes/label_review.py": {"prompt_id", "p_wrong_label"},
    "exchange/formats/__init__.py": {"response_tokens"},
    "exchange/formats/open_instruct.py": {"response_tokens"},
    "exchange/paper_csv.py": {"prompt_id", "mean_reward", "std_reward"},
    "host/plugin.py": {"prompt_id"},
    "host/training/expert.py": {"prompt_id"},
    "host/training/generator.py": {"prompt_id"},
    "interventions/hints.py": {"prompt_id"},
    "interventions/sft_set.py": {"prompt_id"},
    "pipeline/compare.py": {"pass_rate"},
    "pipeline/regrade.py": {"prompt_id"},
    "probe/two_probes.py": {"prompt_id", "variant_id"},
    "report/browser.py": {"prompt_id", "n_correct", "p_below_tau", "p_improved"},
    "report/build.py": {"pass_rate"},
    "report/decisions.py": {"prompt_id"},
    "report/figures/curves.py": {"pass_rate", "mean_reward"},
    "report/figures/interventions.py": {"pass_rate"},
    "report/figures/similarity.py": {"prompt_id"},
    "report/figures/training.py": {"pass_rate"},
    "report/groups.py": {"initial_pass_rate", "final_pass_rate"},
    "report/interventions.py": {"pass_rate"},
    "report/markdown.py": {"pass_rate"},
    "transfer/candidates.py": {"prompt_id"},
    "transfer/dataset.py": {"prompt_id"},
    "worlds/world.py": {"initial_pass_rate"},
}
FOLDERS = {kind.folder for kind in STEP_KINDS} | {"evaluations", "judgements", "probes"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(nodes: Iterable[ast.AST], path: Path) -> Iterator[str]:
    """Every module, or name in one, that `nodes` of the file import, by its whole name."""
    package = ("openrlhf_unlearn", *path.relative_to(PACKAGE).parts[:-1])
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            yield from (at_home(f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def at_home(name: str) -> str:
    """A public name of the package by the module that it is in."""
    home = openrlhf_unlearn._HOMES.get(name.removeprefix("openrlhf_unlearn."))
    return f"openrlhf_unlearn.{home.partition(':')[0]}" if home else name


def going_up(tree: ast.AST, path: Path) -> list[str]:
    above = set(ROOMS[ROOMS.index(room_of(path)) + 1 :]) | OLD_NAMES
    names = imports(ast.walk(tree), path)
    return [name for name in names if name.startswith("openrlhf_unlearn.") and name.split(".")[1] in above]


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """All but what is in functions, which run later, and what is there for a checker of types."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from run_at_import(node)


def of_the_host(tree: ast.AST, path: Path) -> list[str]:
    return [name for name in imports(run_at_import(tree), path) if name.split(".")[0] in HOST_PACKAGES]


def tables(tree: ast.AST, path: Path) -> list[str]:
    """What reads or writes a table without its class."""
    found = [
        name
        for name in imports(ast.walk(tree), path)
        if name.startswith(("pyarrow.parquet", "pyarrow.dataset"))
        or name.startswith("openrlhf_unlearn.store.")
        and name.endswith((".read_table", ".write_table", ".SCHEMAS"))
    ]
    called = (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return found + [name for name in called if name.endswith((".read_parquet", ".to_parquet", "pa.parquet"))]


def subclasses(of: type) -> Iterator[type]:
    for kind in of.__subclasses__():
        yield from (kind, *subclasses(kind))


@cache
def column_names() -> set[str]:
    """Those that no other word is spelt like: with an underscore."""
    for module in pkgutil.iter_modules(openrlhf_unlearn.store.__path__):
        importlib.import_module(f"openrlhf_unlearn.store.{module.name}")
    return {name for kind in subclasses(Table) if "store" in kind.__module__ for name in kind.columns if "_" in name}


def named_columns(tree: ast.AST, path: Path) -> list[str]:
    """What spells a column of a table, but for what a file of another kind calls the same."""
    elsewhere = NAMED_SO_ELSEWHERE.get("/".join(path.relative_to(PACKAGE).parts), set())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and text in column_names() - elsewhere]


def file_names() -> set[str]:
    """Of the files that a run directory has one of, as `RunDir` names them."""
    properties = (name for name, value in vars(RunDir).items() if isinstance(value, property))
    paths = [getattr(RunDir("x"), name) for name in properties]
    paths += [RunDir("x").probe_json("tag"), RunDir("x").gradients("tag")]
    return {path.name for path in paths if path.suffix}


def named_files(tree: ast.AST) -> list[str]:
    """What spells a file of a run directory: its name, its folder with a slash, or a folder where a path is made."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            folder, slash, rest = node.value.partition("/")
            if node.value in file_names() or slash and folder in FOLDERS and " " not in rest:
                found.append(node.value)
        parts = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("Path", "steps", "step_file"):
            parts = node.args
        found += [part.value for part in parts if isinstance(part, ast.Constant) and part.value in FOLDERS]
    return found


def wrong(found, but: Iterable[str]) -> list[str]:
    """`found` of each module that is not in a room of `but`."""
    paths = [path for path in MODULES if room_of(path) not in but]
    return [f"{path.relative_to(PACKAGE)}: {name}" for path in paths for name in found(path)]


def test_every_folder_has_its_place():
    assert {room_of(path) for path in MODULES} - {"__init__"} <= {*ROOMS, *OLD_NAMES}


def test_no_import_goes_up():
    assert wrong(lambda path: going_up(parse(path), path), {"__init__", *OLD_NAMES}) == []


def test_only_the_host_room_imports_the_host():
    assert wrong(lambda path: of_the_host(parse(path), path), {"host", *OLD_NAMES}) == []


def modules() -> dict[str, Path]:
    """Name → file of all but those that are there to be launched."""
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in MODULES}
    launched = {"openrlhf_unlearn.launcher", *(name for name in names if name.endswith(".__main__"))}
    return {name.removesuffix(".__init__"): path for name, path in names.items() if name not in launched}


def imported(path: Path) -> set[str]:
    verbs = {module for module, _ in VERBS.values()} if path.parent.name == "cli" else set()  # cli.main imports them
    return verbs | set(imports(ast.walk(parse(path)), path if PACKAGE in path.parents else PACKAGE / "x.py"))


def test_every_module_is_imported_by_a_test_or_by_what_a_test_imports():
    """And not through a launch alone, where nothing is seen of it but what it prints."""
    known, seen = modules(), set()
    found = set().union(*map(imported, Path(__file__).parent.rglob("*.py")))
    while found:
        # `a.b.c` may be a name in the module `a.b`; to import it imports `a` too
        here = {name.rsplit(".", i)[0] for name in found for i in range(name.count(".") + 1)} & known.keys() - seen
        seen |= here
        found = set().union(*(imported(known[name]) for name in here))
    assert known.keys() - seen == set()


def test_only_the_store_reads_and_writes_tables():
    """All others have `Rewards.read(run)` and its like."""
    assert wrong(lambda path: tables(parse(path), path), {"store", *OLD_NAMES}) == []


def test_only_the_store_spells_the_columns_of_its_tables():
    """All others have `Rewards.pass_rate` and its like."""
    assert wrong(lambda path: named_columns(parse(path), path), {"store", *OLD_NAMES}) == []


def test_what_is_named_so_elsewhere_is_still_there():
    """So that no line of the list outlives its reason."""
    spelt = {name: {n.value for n in ast.walk(parse(PACKAGE / name)) if isinstance(n, ast.Constant)}
             for name in NAMED_SO_ELSEWHERE}  # fmt: skip
    assert {name: names - spelt[name] for name, names in NAMED_SO_ELSEWHERE.items() if names - spelt[name]} == {}


def test_only_the_store_names_the_files_of_a_run():
    """All others ask `RunDir`. What a folder of unfinished parts holds is known to the room alone that makes it."""
    assert wrong(lambda path: named_files(parse(path)), {"store", *OLD_NAMES}) == []


@pytest.mark.parametrize(
    "line",
    [
        "from openrlhf_unlearn.report import build",
        "from openrlhf_unlearn.report.build import build",
        "from ..report import build",
        "from .. import report",
        "from openrlhf_unlearn import analyze",
        "import openrlhf_unlearn.report.build as b",
        "importlib.import_module('openrlhf_unlearn.report.build')",
        "def late():\n    from ..pipeline import analyze",
    ],
)
def test_an_import_that_goes_up_is_found(line):
    assert going_up(ast.parse(line), PACKAGE / "labels" / "x.py")


@pytest.mark.parametrize(
    "line",
    ["from ..store import names", "from . import counts", "from openrlhf_unlearn import RunDir"],
)
def test_an_import_from_below_is_none_that_goes_up(line):
    assert not going_up(ast.parse(line), PACKAGE / "labels" / "x.py")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import ray", True),
        ("from vllm import LLM", True),
        ("try:\n    import ray\nexcept ImportError:\n    ray = None", True),
        ("if True:\n    import vllm", True),
        ("class A:\n    import ray", True),
        ("ray = importlib.import_module('ray')", True),
        ("def late():\n    import ray", False),
        ("if TYPE_CHECKING:\n    import ray", False),
        ("import rays", False),
    ],
)
def test_the_host_is_found_wherever_an_import_of_the_module_runs_it(line, found):
    assert bool(of_the_host(ast.parse(line), PACKAGE / "labels" / "x.py")) is found


@pytest.mark.parametrize(
    "line",
    [
        "import pyarrow.parquet as pq",
        "from pyarrow.parquet import read_table",
        "from pyarrow import parquet",
        "pa.parquet.read_table('x')",
        "pd.read_parquet('x')",
        "frame.to_parquet('x')",
        "from openrlhf_unlearn.store.parquet import read_table",
    ],
)
def test_a_table_that_is_read_without_its_class_is_found(line):
    assert tables(ast.parse(line), PACKAGE / "labels" / "x.py")


@pytest.mark.parametrize("line", ["row['n_positive']", "Row(**{'mean_reward': 1})", "table.column('final_low')"])
def test_a_column_that_is_spelt_is_found(line):
    assert named_columns(ast.parse(line), PACKAGE / "labels" / "x.py")
    assert not named_columns(ast.parse("Rewards.n_positive, rows['high']"), PACKAGE / "labels" / "x.py")


@pytest.mark.parametrize(
    "line",
    [
        "folder / 'run.json'",
        "open('summary.json')",
        "folder / 'evaluations'",
        "Path('evaluations', name)",
        "f'rewards/{step}'",
        "run.steps('rollouts')",
    ],
)
def test_a_file_of_a_run_that_is_spelt_is_found(line):
    assert named_files(ast.parse(line))


def test_words_and_descriptions_are_no_files():
    assert not named_files(ast.parse("'''Writes run.json.'''\nx['rewards'] = 'the file run.json'"))
