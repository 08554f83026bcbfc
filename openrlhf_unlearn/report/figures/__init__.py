"""Every figure of the report, in the page's order; a figure is drawn whenever its data is there.

To add one: a module with a `Figure`, named in `MODULES`. `python -m openrlhf_unlearn.report.figures` lists them with
what each needs.
"""

from importlib import import_module

from openrlhf_unlearn.report.figures.base import Figure

MODULES = (
    "reward_by_group",
    "causes",
    "pass_rates",
    "change",
    "turnover",
    "similarity",
    "similarity_groups",
    "similarity_prompts",
    "separation",
    "similarity_over_probes",
    "spectrum",
    "interference",
    "likelihood",
    "clipping",
    "reasoning",
    "augmentation",
    "variants",
    "transfer",
    "verdicts",
    "acceptance",
    "sensitivity",
    "forecast",
    "compared_rewards",
    "compared_pass_rates",
    "stages",
)


def all_figures() -> list[Figure]:
    modules = [import_module(f"{__name__}.{name}") for name in MODULES]
    return [figure for module in modules for figure in vars(module).values() if isinstance(figure, Figure)]
