"""Is there a low-dimensional subspace that the outliers miss? Spectrum of each group's gradients, and what it holds."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import bars
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.store.run_dir import GROUPS


def data(material) -> Data | None:
    numbers = material.probe.numbers if material.probe else {}
    spectra, captured, rows = numbers.get("spectrum") or {}, numbers.get("captured") or {}, []
    for group in (group for group in GROUPS if group in spectra):
        inside = captured.get(group) or dict.fromkeys(("share", "low", "high"))
        about = {"prompts": spectra[group]["prompts"], "effective_rank": spectra[group]["effective_rank"]}
        about |= {"captured": inside["share"], "captured_low": inside["low"], "captured_high": inside["high"]}
        shares = spectra[group]["shares"]
        rows += [{"group": group, "direction": i, "share": s, **about} for i, s in enumerate(shares, 1)]
    return columns(rows)


def caption(material, data: Data):
    first = {row["group"]: row for row in records(data) if row["direction"] == 1}
    text = (
        "Share of the squared length of each group's gradients along its own first directions, as many prompts "
        "of each; the steeper, the more a group learns along few directions."
    )
    numbers = {}
    if any(row["captured"] is not None for row in first.values()):
        text += " On the right, the share of each group's gradients inside the first directions of the easy and "
        text += "learnable ones', over what these have there themselves, with 95 % intervals."
    for group in ("learnable", "unlearnable"):
        if group in first:
            numbers[group] = first[group]["effective_rank"]
            text += f" Effective rank of the {group}: {{{group}:small}}."
    return text, numbers


def draw(figure, data: Data) -> None:
    rows = records(data)
    first = [row for row in rows if row["direction"] == 1]
    known = [row for row in first if row["captured"] is not None]
    panels = figure.subplots(1, 2 if known else 1, squeeze=False)[0]
    for row in first:
        mine = [r for r in rows if r["group"] == row["group"]]
        label = f"{GROUP_NAMES[row['group']]} (effective rank {row['effective_rank']:.1f})"
        x, y = [r["direction"] for r in mine], [100 * r["share"] for r in mine]
        panels[0].plot(x, y, "o-", color=GROUP_COLOURS[row["group"]], markersize=3.5, linewidth=1.6, label=label)
    panels[0].set_xlabel("direction, by size")
    panels[0].set_ylabel("share of squared length (%)")
    panels[0].set_ylim(bottom=0)
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    if known:
        _captured(panels[1], known)
    figure.legend(loc="outside upper left", ncols=3)


def _captured(axes, rows: list[dict]) -> None:
    shown = [
        {
            name: 100 * row[key]
            for name, key in (("mean", "captured"), ("low", "captured_low"), ("high", "captured_high"))
        }
        for row in rows
    ]
    place = list(range(len(rows)))[::-1]
    for y, row, values in zip(place, rows, shown, strict=True):
        axes.errorbar(
            values["mean"], y, xerr=bars([values]), fmt="o", color=GROUP_COLOURS[row["group"]], capsize=3, markersize=5
        )
    axes.set_yticks(place, [GROUP_NAMES[row["group"]] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("share inside the easy and learnable ones' subspace (%)")
    axes.set_xlim(left=min(0, *(values["low"] for values in shown)))
    axes.grid(axis="y", visible=False)


FIGURE = Figure(
    name="spectrum",
    title="The directions that gradients lie in",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
    size=(9.6, 3.6),
    wide=True,
)
