"""What a figure is, and how it becomes SVG in the page and PNG, SVG, PDF and CSV beside it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes as Axes
from matplotlib.figure import Figure as Canvas

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.options import FILES
from openrlhf_unlearn.report.palette import DARK, INK, LINE, SOFT
from openrlhf_unlearn.store.run_dir import atomic_path
from openrlhf_unlearn.store.spreadsheet import write_rows

Data = dict[str, list[Any]]  # columns of equal length, in the order of the CSV


@dataclass(frozen=True)
class Figure:
    """`data(material)` gives columns, or None where the run has none; `draw(figure, data)` draws nothing else.

    `caption(material, data)`: a sentence which says what to look for.
    `paper`: the figure of arXiv 2605.16787 that it corresponds to; `needs`: how to get the data. Size in inches.
    """

    name: str
    title: str
    needs: str
    data: Callable[[Material], Data | None]
    caption: Callable[[Material, Data], Sentence]
    draw: Callable[[Canvas, Data], None]
    paper: str = ""
    size: tuple[float, float] = (5.2, 3.3)
    wide: bool = False


STYLE: dict[Any, Any] = {  # of matplotlib's rcParams
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.4,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


def records(data: Data) -> list[dict]:
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


def columns(rows: list[dict]) -> Data | None:
    """Rows as columns; None without a row."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else None


def write_csv(path: Path, data: Data) -> None:
    with atomic_path(path) as aside, aside.open("w", newline="", encoding="utf-8") as lines:
        write_rows(lines, [tuple(data), *zip(*data.values(), strict=True)])


def render(spec: Figure, data: Data, folder: Path, formats: Sequence[str]) -> str:
    """Write the figure into `folder` as SVG and in each of `formats`, its data as CSV; returns the SVG for the page."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / f"{spec.name}.csv", data)
    with plt.rc_context({**STYLE, "svg.hashsalt": spec.name}):
        figure = plt.figure(figsize=spec.size, layout="constrained")
        spec.draw(figure, data)
        figure.draw_without_rendering()  # lays it out once, for all formats
        figure.set_layout_engine(None)  # with one, even an empty one, each format draws twice
        for suffix in ("svg", *(suffix for suffix in formats if suffix != "svg")):
            with atomic_path(folder / f"{spec.name}.{suffix}") as aside:
                date = {"CreationDate": None} if suffix == "pdf" else {"Date": None} if suffix == "svg" else {}
                figure.savefig(aside, format=suffix, transparent=suffix == "svg", metadata=date)
        plt.close(figure)
    return for_page((folder / f"{spec.name}.svg").read_text(encoding="utf-8"), spec)


def remove(spec: Figure, folder: Path) -> None:
    for suffix in ("csv", "svg", *FILES):
        (folder / f"{spec.name}.{suffix}").unlink(missing_ok=True)


def for_page(svg: str, spec: Figure) -> str:
    """The drawing as a part of the page: its own ids, the page's font, colours that follow light and dark."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{spec.name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{spec.name}-", svg)
    svg = svg.replace("'DejaVu Sans'", "var(--sans)")
    for light in DARK:
        svg = re.sub(light, f"var(--c{light[1:].lower()})", svg, flags=re.IGNORECASE)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{spec.title}" ', svg, count=1)
