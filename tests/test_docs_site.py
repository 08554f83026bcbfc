"""The documentation as a site: every link leads to a page of it, or to a file of the repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/openrlhf-unlearn/openrlhf-unlearn/blob/main/"


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed (the extra `docs`)")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr  # strict: no link to a page or a heading is broken
    return folder


def test_links_to_the_code_name_files_that_are_there(site):
    linked = {
        link.partition("#")[0]
        for page in site.rglob("*.html")
        for link in re.findall(rf'href="{REPOSITORY}([^"]+)"', page.read_text(encoding="utf-8"))
    }
    assert len(linked) > 5
    made = {"docs/index.md", "docs/changelog.md", "docs/contributing.md"}  # from README, CHANGELOG, CONTRIBUTING
    assert [path for path in sorted(linked - made) if not (ROOT / path).exists()] == []


def test_the_first_page_is_the_readme_and_its_images_are_there(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    assert (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ") in text
    images = re.findall(r'<img[^>]* src="([^"]+)"', text)
    assert images and [path for path in images if not (site / path).exists()] == []
    assert re.findall(r'href="(?!https?:)[^"]*\.md', text) == []


def test_tests_and_benchmarks_that_texts_name_are_there():
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/README.md", *ROOT.glob("docs/*.md")]
    texts += [*ROOT.glob("openrlhf_unlearn/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    pattern = re.compile(r"(?<![\w/])(?:tests|benchmarks)/[\w/]+\.(?:py|sh)\b")
    named = {(text, name) for text in texts for name in pattern.findall(text.read_text("utf-8"))}
    assert len(named) > 50
    assert [f"{text.relative_to(ROOT)}: {name}" for text, name in sorted(named) if not (ROOT / name).exists()] == []


def test_tests_that_the_documentation_chooses_are_there():
    pattern = re.compile(r"pytest (tests/[\w/]+\.py) -k (\w+)")
    chosen = [found for page in ROOT.glob("docs/*.md") for found in pattern.findall(page.read_text("utf-8"))]
    missing = [(file, name) for file, name in chosen if not re.search(rf"def test\w*{name}", (ROOT / file).read_text())]
    assert chosen and missing == []


def test_contributing_names_every_room_and_files_that_are_there():
    text, package = (ROOT / "CONTRIBUTING.md").read_text("utf-8"), ROOT / "openrlhf_unlearn"
    chart = text.partition("```\nopenrlhf_unlearn/")[2].partition("```")[0]
    rooms = {path.stem for path in package.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"}
    named = {word for line in chart.splitlines() for word in re.findall(r"^  (\w[\w/, ]*?)/?(?:  |$)", line)}
    named = {word.strip("/ ") for words in named for word in words.split(",")}
    assert rooms - {"__init__"} == named
    files = set(re.findall(r"`(\w+(?:/\w+)*/(?:\w+\.(?:py|json))?)[`:]", text))
    missing = [file for file in sorted(files) if not any((top / file).exists() for top in (package, ROOT))]
    assert len(files) > 30 and missing == []
