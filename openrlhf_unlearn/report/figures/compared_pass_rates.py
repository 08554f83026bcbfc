"""How each intervention changed final pass@1 of the first run's groups: paired differences with intervals."""

from openrlhf_unlearn.report.compare import comparison
from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import bars
from openrlhf_unlearn.report.palette import GROUP_NAMES, INK, RUN_COLOURS


def data(material) -> Data | None:
    if not material.compared:
        return None
    rows = []
    for row in comparison(material)["rows"]:
        if row["difference"] is not None:
            low, high = row["difference_interval"] or (None, None)
            kept = {name: row[name] for name in ("group", "run", "prompts", "pass_rate", "difference")}
            rows.append({**kept, "low": low, "high": high})
    return columns(rows)


def caption(material, data: Data):
    found = zip(data["group"], data["low"], data["run"], strict=True)
    better = {run for group, low, run in found if group == "unlearnable" and low is not None and low > 0}
    return (
        "Final pass@1 minus that of the first run on the same prompts, with 95 % intervals of the paired differences. "
        "For {better:count} of {runs:count} {runs:intervention|interventions} the interval of the unlearnable lies "
        "above zero. The first run's own samples chose the groups, which by itself lifts its unlearnable and lowers "
        "its learnable in every other run: compare with a repetition of the first before believing a small one.",
        {"better": len(better), "runs": len(set(data["run"]))},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    groups, runs = list(dict.fromkeys(data["group"])), list(dict.fromkeys(data["run"]))
    for i, run in enumerate(runs):
        mine = [row for row in rows if row["run"] == run]
        y = [len(groups) - groups.index(row["group"]) - (i - (len(runs) - 1) / 2) * 0.16 for row in mine]
        middle = [row["difference"] for row in mine]
        error = bars([{**row, "mean": row["difference"]} for row in mine])
        colour = RUN_COLOURS[(i + 1) % len(RUN_COLOURS)]
        axes.errorbar(middle, y, xerr=error, fmt="o", color=colour, markersize=4.5, capsize=2.5, label=run)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(groups), 0, -1), [GROUP_NAMES[group] for group in groups])
    axes.set_ylim(0.4, len(groups) + 0.6)
    axes.set_xlabel("difference of final pass@1 to the first run")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=min(2, len(runs)))


FIGURE = Figure(
    name="compared_pass_rates",
    title="Interventions: what changed",
    needs="several evaluated runs: openrlhf-unlearn analyze RUN_A RUN_B --compare",
    data=data,
    caption=caption,
    draw=draw,
)
