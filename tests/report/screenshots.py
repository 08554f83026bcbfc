"""Pictures of a report as a reader sees it, for docs/ and for looking at it: desktop and phone, light and dark.

    python -m tests.report.screenshots RUN [--to docs/report]

Needs the `playwright` package and a Chromium of the system (Debian: apt-get install chromium).
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import RunDir

SIZES = {"desktop": {"width": 1280, "height": 1100}, "phone": {"width": 390, "height": 844}}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def browser() -> Iterator:
    """A headless Chromium. Raises UserError without playwright or without a browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("playwright is not installed: pip install playwright") from None
    path = find_chromium()
    if path is None:
        raise UserError("no Chromium was found; install one (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


def take(report: Path, folder: Path) -> list[Path]:
    """Pictures of what a reader sees first, of the evidence, the prompts and an opened prompt; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with browser() as chromium:
        for device, size in SIZES.items():
            for scheme in ("light", "dark"):
                page = chromium.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
                page.goto(report.resolve().as_uri())
                page.wait_for_selector("html[data-ready]")
                for name, show in VIEWS.items():
                    show(page)
                    taken.append(folder / f"{name}-{device}-{scheme}.png")
                    page.screenshot(path=taken[-1])
                page.close()
    return taken


def _to(section: str):
    return lambda page: page.evaluate("id => document.getElementById(id).scrollIntoView()", section)


def _open_prompt(page) -> None:
    page.check("#with-rollouts")
    page.fill("#initial-from", "0.03")  # one that has correct rollouts to show
    page.click("#body tr[data-id] a")
    page.wait_for_selector("#prompt-body .question")


VIEWS = {"answer": lambda page: None, "evidence": _to("evidence"), "prompts": _to("prompts"), "prompt": _open_prompt}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", help="a run directory with a report")
    parser.add_argument("--to", type=Path, default=Path("docs/report"), help="folder of the pictures")
    args = parser.parse_args()
    report = RunDir.open(args.run).report
    if not report.exists():
        raise SystemExit(f"{report} does not exist; make it: openrlhf-unlearn analyze {args.run}")
    try:
        for path in take(report, args.to):
            print(path)
    except UserError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
