"""Which figures there are."""

from openrlhf_unlearn.report.figures import FIGURES


def test_every_figure_has_a_name_of_its_own_and_says_what_it_needs():
    names = [figure.name for figure in FIGURES]
    assert len(set(names)) == len(names) and all(figure.needs and figure.title for figure in FIGURES)
