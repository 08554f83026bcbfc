"""What is published: a source distribution with everything, a wheel that works alone, a README for the index."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from openrlhf_unlearn import __version__

ROOT = Path(__file__).parents[1]
ASKED = "OPENRLHF_UNLEARN_PYTHONS"
INTERPRETERS = os.environ.get(ASKED, sys.executable).split(os.pathsep)
EACH = pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda path: Path(path).parts[-3])


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """A folder with the source distribution and the wheel that is built from it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("published")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.fixture(scope="session")
def wheel(published) -> Path:
    (path,) = published.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_the_source_distribution_has_every_file_of_the_repository(published):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git repository")
    (path,) = published.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert [name for name in listed.stdout.splitlines() if name not in packed] == []


def test_the_wheel_has_what_the_package_needs_and_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    needed = ("py.typed", "demo/run.zip", "report/templates/page.html", "report/vendor/katex.min.js", "reward_math.py",
              "examples/quickstart.sh", "examples/paper/slurm.sbatch", "examples/my_filter.py")  # fmt: skip
    assert [name for name in needed if f"openrlhf_unlearn/{name}" not in names] == []
    assert {name.split("/")[0] for name in names} == {"openrlhf_unlearn", f"openrlhf_unlearn-{__version__}.dist-info"}
    assert wheel.stat().st_size < 3_000_000


def test_the_index_accepts_it(published):
    pytest.importorskip("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict", *published.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_on_the_index_links_to_files_that_are_there(metadata):
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)#]+)", text)
    ours = [link for link in links if "/openrlhf-unlearn/openrlhf-unlearn/" in link]
    assert [link for link in links if not link.startswith("https://")] == []
    files = [re.split(rf"/v{re.escape(__version__)}/", link)[1] for link in ours]
    assert len(files) > 5 and [name for name in files if not (ROOT / name).exists()] == []
    assert any(link.startswith("https://raw.githubusercontent.com/") and link.endswith(".png") for link in ours)


def test_there_is_one_version(metadata):
    assert metadata["Version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == __version__


def test_the_base_pins_nothing_but_the_grader(metadata):
    base = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert [line for line in base if "==" in line] == ["math-verify[antlr4-13-2]==0.9.0"]
    names = {re.match(r"[\w-]+", line)[0] for line in base}
    assert names.isdisjoint({"torch", "transformers", "openrlhf", "ray", "vllm", "deepspeed", "datasets"})


def run(*words, cwd: Path, timeout: float | None = None) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DISPLAY")}
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, cwd=cwd, env=environment, timeout=timeout
    )


def install(interpreter: str, folder: Path, what: str) -> Path:
    """Where the programs of a new environment are, which holds `what` and what the index has for it."""
    subprocess.run([interpreter, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    done = run(programs / "pip", "install", "--disable-pip-version-check", "-q", what, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return programs


@pytest.mark.slow
@EACH
def test_the_wheel_works_in_an_empty_environment(wheel, interpreter, tmp_path):
    """The demo and what else needs no host, outside of any clone."""
    programs = install(interpreter, tmp_path, str(wheel))

    def command(*words):
        return run(programs / "openrlhf-unlearn", *words, cwd=tmp_path, timeout=300)  # the demo: half a minute

    demo = command("demo", "--no-open")
    assert demo.returncode == 0, demo.stderr[-3000:]
    assert (tmp_path / "openrlhf-unlearn-demo" / "report" / "report.html").stat().st_size > 100_000
    assert command("--version").stdout == f"openrlhf-unlearn {__version__}\n"
    assert "FAIL  openrlhf" in command("doctor").stdout
    assert command("examples").returncode == 0
    subprocess.run(["bash", "-n", tmp_path / "examples" / "quickstart.sh"], check=True)


@pytest.mark.slow
@pytest.mark.skipif(ASKED not in os.environ, reason=f"{ASKED}=/path/to/python3.10:/path/to/python3.12 asks for it")
@EACH
def test_the_tests_pass_on_the_base_installation(published, interpreter, tmp_path):
    """Of the source distribution; without torch and the host those that need them are left out or skipped."""
    (path,) = published.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("openrlhf_unlearn-*")
    python = install(interpreter, tmp_path, f"{source}[dev]") / "python"
    done = run(python, "-m", "pytest", "-q", "-n", "0", "-m", "not slow", cwd=source)
    assert done.returncode == 0, done.stdout[-6000:]
