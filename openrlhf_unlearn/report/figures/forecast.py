"""Is the forecast's risk what happened? Its calibration, never shown without its AUC."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.report.palette import SOFT


def data(material) -> Data | None:
    return columns(material.summary.forecast.get("calibration", []))


def caption(material, data: Data):
    quality = material.summary.forecast
    low, high = quality["auc_interval"]
    return (
        "Risk of not being learned as forecast before training, against what happened, by fifths of the risk. "
        "Cross-validated AUC {auc:rate} ({low:rate} to {high:rate}), calibration error {error:rate}: on the diagonal "
        "the forecast can be taken at its word.",
        {"auc": quality["auc"], "low": low, "high": high, "error": quality["calibration_error"]},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color=SOFT, linewidth=0.9, linestyle="--", label="perfect calibration")
    axes.plot(
        [100 * v for v in data["forecast"]], [100 * v for v in data["happened"]], "o-", color="#0072B2",
        label="fifths of the hard prompts", clip_on=False,
    )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("forecast risk of not being learned (%)")
    axes.set_ylabel("not learned in fact (%)")
    axes.legend(loc="upper left")


FIGURE = Figure(
    name="forecast",
    title="The forecast's calibration",
    needs="openrlhf-unlearn forecast RUN",
    data=data,
    caption=caption,
    draw=draw,
)
