"""What of a report becomes files in its folder: figures with their data, lists of prompts, prompts.csv, the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from openrlhf_unlearn.report.build import Report
from openrlhf_unlearn.report.figures import FIGURES
from openrlhf_unlearn.report.figures.base import remove, render, write_csv
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.page import page
from openrlhf_unlearn.store.run_dir import atomic_path, write_json
from openrlhf_unlearn.store.summary import Summary


def write(path: Path, report: Report, material: Material, earlier: Summary, formats: Sequence[str]) -> None:
    """The page to `path`, the rest beside it. What an earlier report has left there and this one has not, goes.

    earlier: what that one's summary says; formats: what figures are written as beside SVG.
    """
    folder = path.parent
    drawings = draw(report, folder, formats, earlier.report)
    write_csv(folder / "prompts.csv", report.prompts)
    write_lists(folder / "lists", report.lists, earlier.report)
    html = page(report, material, drawings, ("svg", *formats))
    with atomic_path(path) as aside:
        aside.write_text(html, encoding="utf-8", errors="replace")


def draw(report: Report, folder: Path, formats: Sequence[str], earlier: dict[str, Any]) -> dict[str, str]:
    """figure → its SVG for the page. Files of figures that the earlier report names go."""
    shown = {one.figure.name: one for one in report.figures.shown}
    before = earlier.get("figures")
    for figure in FIGURES:
        if isinstance(before, dict) and figure.name in before:
            remove(figure, folder)
    bar = tqdm(shown.items(), "figures", unit="figure", leave=False, delay=5, disable=None)
    return {name: render(one.figure, one.data, folder, formats) for name, one in bar}


def write_lists(folder: Path, lists: dict[str, list[str]], earlier: dict[str, Any]) -> None:
    """Each advice's prompts as a JSON list of ids. Of the lists that the earlier report names, those that apply no more
    go."""
    for name, ids in lists.items():
        write_json(folder / name, ids)
    advice = earlier.get("advice")
    items = [item.get("list") for item in advice if isinstance(item, dict)] if isinstance(advice, list) else []
    for name in {Path(item).name for item in items if isinstance(item, str)} - lists.keys():
        if (folder / name).is_file():
            (folder / name).unlink()
