"""A curriculum's stages one after the other, each run from the model of the one before (paper, Figure 18)."""

from pathlib import Path

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, reward_axis, reward_curves
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, SOFT


def chain(material) -> list:
    """The longest chain of compared runs in which each trains on from the model that the one before wrote."""
    links = [(single, *_models(single)) for single in material.interventions]
    longest: list = []
    for start in links:
        found = [start]
        while following := next((x for x in links if x not in found and x[1] and x[1] == found[-1][2]), None):
            found.append(following)
        longest = max(longest, found, key=len)
    return [single for single, *_ in longest] if len(longest) > 1 else []


def _models(single) -> tuple[str, str]:
    """(model that training started from, model that it wrote), "" where run.json does not say."""
    names = single.config.flag("actor.model_name_or_path"), single.config.flag("ckpt.output_dir")
    return tuple(str(Path(name)) if name else "" for name in names)


def data(material) -> Data | None:
    rows, done = [], 0.0
    for stage, single in enumerate(chain(material), 1):
        curves = reward_curves(single.visits, material.curve_groups)
        rows += [{"stage": stage, **row, "step": done + row["step"]} for row in curves]
        done = max([done, *(float(done + step) for step in single.visits.step[-1:])])
    return columns(rows)


def caption(material, data: Data):
    last = [row for row in records(data) if row["group"] == "unlearnable"]
    text = (
        "Share of rollouts correct as sampled, in {stages:count} stages, each from the model of the one before; dashes "
        "mark where one ends. Groups are those of the first run; bands are 95 % intervals."
    )
    numbers = {"stages": len(set(data["stage"]))}
    if not last:
        return text, numbers
    return text + " In the last stage the unlearnable end at {end:rate}.", numbers | {"end": last[-1]["pass_rate"]}


def draw(figure, data: Data) -> None:
    axes, rows, seen = figure.subplots(), records(data), set()
    for stage in dict.fromkeys(data["stage"]):
        here = [row for row in rows if row["stage"] == stage]
        for group in dict.fromkeys(row["group"] for row in here):
            column = (
                [row[name] for row in here if row["group"] == group] for name in ("step", "pass_rate", "low", "high")
            )
            plot_band(axes, *column, GROUP_COLOURS[group], None if group in seen else GROUP_NAMES[group])
            seen.add(group)
        if stage > 1:
            axes.axvline(min(row["step"] for row in here) - 0.5, color=SOFT, linewidth=1, linestyle="--")
    reward_axis(axes)
    axes.set_xlabel("training step, all stages")
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="compared_stages",
    title="Interventions: stages of a curriculum",
    needs="openrlhf-unlearn analyze RUN STAGE_1 STAGE_2 --compare",
    data=data,
    caption=caption,
    draw=draw,
    paper="18",
    size=(9.6, 3.6),
    wide=True,
)
