"""What training on each cluster does to every other, predicted by gradients (openrlhf-unlearn transfer)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.store.probes import Transfer
from openrlhf_unlearn.store.run_dir import RunDir, read_json

MOST = 14  # clusters, beyond which a map cannot be read


def newest(run: RunDir) -> str | None:
    """The probe whose map is shown: `initial`, else the last by name; None without a map."""
    names = sorted(path.stem for path in (run.path / "transfer").glob("*.json"))
    return "initial" if "initial" in names else (names or [None])[-1]


def section(run: RunDir) -> list[str]:
    """What the map and its check say, sentence by sentence, as `transfer` wrote it; empty without one."""
    name = newest(run)
    return read_json(run.transfer_json(name))["sentences"] if name else []


def data(material) -> Data | None:
    name = newest(material.first)
    if name is None or not material.first.transfer_table(name).exists():
        return None
    wanted = (
        Transfer.trained, Transfer.changed, Transfer.value, Transfer.low, Transfer.high, Transfer.told,
        Transfer.measured,
    )  # fmt: skip
    rows = Transfer.read(material.first, name, *wanted).rows()
    return columns([row._asdict() for row in rows]) if 1 < len({row.trained for row in rows}) <= MOST else None


def caption(material, data: Data):
    text = (
        "Predicted change of the log-likelihood a token of correct rollouts, per unit of training: rows train, columns "
        "change, the diagonal is a cluster's effect on its own other prompts. Blue rises, red falls; a dot marks what "
        "is told from 0 (false discovery rate 5 %). "
    )
    return text + " ".join(section(material.first)).replace("{", "{{").replace("}", "}}"), {}


def draw(figure, data: Data) -> None:
    names = sorted(set(data["trained"]))
    place = {name: i for i, name in enumerate(names)}
    matrix, told = np.full((len(names), len(names)), np.nan), []
    for trained, changed, value, sure in zip(
        *(data[key] for key in ("trained", "changed", "value", "told")), strict=True
    ):
        matrix[place[trained], place[changed]] = value
        if sure:
            told.append((place[changed], place[trained]))
    axes = figure.subplots()
    bound = np.nanmax(np.abs(matrix)) or 1.0
    image = axes.imshow(matrix, cmap="RdBu", vmin=-bound, vmax=bound)
    if told:
        axes.plot(*zip(*told, strict=True), "o", color="black", markersize=3)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("changes")
    axes.set_ylabel("trains")
    axes.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="nats a token, per unit")


FIGURE = Figure(
    name="transfer",
    title="What teaches what",
    needs="openrlhf-unlearn transfer RUN",
    data=data,
    caption=caption,
    draw=draw,
    size=(5.2, 4.2),
)
