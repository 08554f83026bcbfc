"""A report is made of its material alone, whatever was asked of that before; and nothing is written on the way."""

from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.build import build
from openrlhf_unlearn.report.figures.collect import collect
from openrlhf_unlearn.report.interventions import comparison
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.options import AnalyzeOptions


def test_nothing_is_written_and_no_section_needs_another_before_it(run):
    def files() -> dict:
        return {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}

    def numbers(material: Material) -> dict:
        found = build(material, AnalyzeOptions((str(run),)), [], run.path / "report").numbers
        return {name: value for name, value in found.items() if name != "created"}

    before, fresh, asked = files(), Material([run], compared=[run, run]), Material([run], compared=[run, run])
    collect(asked)
    comparison(asked)
    answer(asked, {}, None, None, [])
    assert numbers(asked) == numbers(fresh)
    assert files() == before
