"""Every figure that the run has data for, drawn into the report's folder and for the page."""

from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.report.figures import all_figures
from openrlhf_unlearn.report.figures.base import Figure, remove, render
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.missing import Missing
from openrlhf_unlearn.report.numbers import Say


@dataclass(frozen=True)
class Drawn:
    drawings: dict[str, str] = field(default_factory=dict)  # figure → SVG
    captions: dict[str, Say] = field(default_factory=dict)
    numbers: dict[str, dict] = field(default_factory=dict)  # figure → title, caption, data
    undrawn: list[Figure] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)  # figures of a file that cannot be read


def draw_all(material: Material, folder: Path, formats) -> Drawn:
    drawn = Drawn()
    for spec in tqdm(all_figures(), "figures", unit="figure", leave=False, delay=5, disable=None):
        try:
            data = spec.data(material)
        except UserError as error:  # one file that cannot be read is no reason to show nothing
            drawn.missing.append(Missing(spec.title, str(error), spec.needs))
            data = None
        if data is None:
            remove(spec, folder)
            if not spec.name.startswith("compared") or material.compared:
                drawn.undrawn.append(spec)
            continue
        template, numbers = spec.caption(material, data)
        say = Say(template, numbers, f"figures.{spec.name}")
        drawn.captions[spec.name] = say
        drawn.drawings[spec.name] = render(spec, data, folder, formats)
        drawn.numbers[spec.name] = {"title": spec.title, **say.as_dict(), "data": data}
    return drawn
