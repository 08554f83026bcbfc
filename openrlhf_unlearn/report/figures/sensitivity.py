"""How the shares of the groups move with the thresholds and with the number of samples."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES

NAMES = {
    "tau": "τ: final pass@1 below which\na prompt is unlearnable",
    "easy": "initial pass@1 from which\na prompt is easy",
    "n": "samples a prompt (N)",
}
GROUPS = ("learnable", "unlearnable", "no_reward", "mixed")


def data(material) -> Data | None:
    rows = material.summary.classify.get("sensitivity", [])
    return columns([{"varied": r["varied"], "value": r["value"], "hard": r["hard"], **{g: r[g] for g in GROUPS}}
                    for r in rows if r["hard"]])  # fmt: skip


def caption(material, data: Data):
    shares = [share for share, name in zip(data["unlearnable"], data["varied"], strict=True) if name == "tau"]
    return (
        "Shares of the hard prompts while one threshold moves and the others stay. Over the values of τ shown, the "
        "unlearnable are between {low:percent} and {high:percent}: the flatter the lines, the less hangs on it.",
        {"low": min(shares, default=None), "high": max(shares, default=None)},
    )


def draw(figure, data: Data) -> None:
    varied = list(dict.fromkeys(data["varied"]))
    all_axes = figure.subplots(1, len(varied), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, varied, strict=True):
        chosen = [i for i, value in enumerate(data["varied"]) if value == name]
        x = [data["value"][i] for i in chosen]
        for group in GROUPS:
            y = [100 * data[group][i] for i in chosen]
            if any(data[group]):
                label = GROUP_NAMES[group] if axes is all_axes[0] else None
                axes.plot(x, y, "o-", color=GROUP_COLOURS[group], markersize=3.5, linewidth=1.5, label=label)
        if name == "n":
            axes.set_xscale("log", base=2)
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.minorticks_off()
        else:
            axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(NAMES[name])
    all_axes[0].set_ylabel("share of the hard prompts (%)")
    all_axes[0].set_ylim(0, 100)
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="sensitivity",
    title="How much hangs on the thresholds",
    needs="openrlhf-unlearn classify RUN",
    data=data,
    caption=caption,
    draw=draw,
    size=(9.6, 3.6),
    wide=True,
)
