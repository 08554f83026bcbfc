"""Which figures the material has data for, with their captions."""

from dataclasses import dataclass
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.report.figures import FIGURES
from openrlhf_unlearn.report.figures.base import Data, Figure
from openrlhf_unlearn.report.material import Material, Missing
from openrlhf_unlearn.report.numbers import Say


@dataclass(frozen=True)
class Shown:
    figure: Figure
    data: Data
    caption: Say

    def as_dict(self) -> dict[str, Any]:
        return {"title": self.figure.title, **self.caption.as_dict(), "data": self.data}


@dataclass(frozen=True)
class Collected:
    """In the page's order. `undrawn`: those that the page names as lacking data; `missing`: of a file that cannot be
    read."""

    shown: list[Shown]
    undrawn: list[Figure]
    missing: list[Missing]


def collect(material: Material) -> Collected:
    found = Collected([], [], [])
    for figure in FIGURES:
        try:
            data = figure.data(material)
        except UserError as error:  # one file that cannot be read is no reason to show nothing
            found.missing.append(Missing(figure.title, str(error), figure.needs))
            data = None
        if data is not None:
            found.shown.append(Shown(figure, data, Say(*figure.caption(material, data), f"figures.{figure.name}")))
        elif not figure.name.startswith("compared") or material.compared:
            found.undrawn.append(figure)
    return found
