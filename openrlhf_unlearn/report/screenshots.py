"""Pictures of a report as a reader sees it, for docs/ and for looking at it: desktop and phone, light and dark.

    python -m openrlhf_unlearn.report.screenshots RUN [--to docs]

Needs the `playwright` package and a Chromium of the system (Debian: apt-get install chromium).
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.run_dir import RunDir

WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
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
    """report.png and prompt.png at each width in light and dark; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with browser() as chromium:
        for device, (width, height) in WIDTHS.items():
            for scheme in ("light", "dark"):
                page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto(report.resolve().as_uri())
                page.wait_for_selector("html[data-ready]")
                whole = folder / f"report-{device}-{scheme}.png"
                page.screenshot(path=whole, full_page=True)
                page.check("#with-rollouts")
                page.click("#body tr[data-id] a")
                page.wait_for_selector("#prompt-body .question")
                opened = folder / f"prompt-{device}-{scheme}.png"
                page.screenshot(path=opened)
                page.close()
                taken += [whole, opened]
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", help="a run directory with a report")
    parser.add_argument("--to", type=Path, default=Path("docs"), help="folder of the pictures")
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
