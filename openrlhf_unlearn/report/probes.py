"""What the report takes from probes: the similarity of each prompt to the others, and its words for the answer."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from openrlhf_unlearn.stats.auc import auc_with_interval
from openrlhf_unlearn.store.probes import Similarity
from openrlhf_unlearn.store.run_dir import RunDir, read_object

if TYPE_CHECKING:
    from openrlhf_unlearn.report.material import Material

ENOUGH = 0.5  # share of a group's probed prompts with a corrected cosine, from which these stand for the group
FEWEST = 5  # prompts of a group
GROUPS = ("learnable", "unlearnable")  # that are told apart


@dataclass
class Probe:
    """One probe, (prompts,) each: plain and noise-corrected mean cosine to all others, correct rollouts behind it.

    The corrected one is nan where a prompt has too few rollouts to say; `low` and `high` are its 95 % interval.
    """

    name: str
    plain: np.ndarray
    corrected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_correct: np.ndarray
    labels: np.ndarray  # group of each prompt when it was probed, "" where it was not
    numbers: dict[str, Any] = field(repr=False)  # probe.json
    table: Similarity = field(repr=False)
    row_of: dict[str, int] = field(repr=False)

    @property
    def model(self) -> str:
        return str((self.numbers.get("settings") or {}).get("model") or "")

    @property
    def tag(self) -> str:
        """The evaluation whose rollouts were probed."""
        return str(self.numbers.get("tag") or self.name)

    def pooled(self, group: str) -> dict[str, Any] | None:
        """A group's corrected mean cosine to all prompts from all of its rollouts: it needs fewer of each prompt."""
        found = (self.numbers.get("group_to_all") or {}).get(group) or {}
        if found.get("corrected") is None:
            return None
        prompts = int((self.labels == group).sum())
        return {"prompts": prompts, "mean": found["corrected"], "low": found["low"], "high": found["high"]}

    @cached_property
    def neighbours(self) -> dict[int, tuple[list, list]]:
        """row → nearest and farthest prompts by gradient, [row, cosine] each."""
        if not self.table.has(Similarity.nearest):
            return {}
        return {
            self.row_of[row.prompt_id]: (
                self._known(row.nearest, row.nearest_cosine),
                self._known(row.farthest, row.farthest_cosine),
            )
            for row in self.table.rows()
            if row.prompt_id in self.row_of
        }

    def _known(self, names: list[str] | None, cosines: list[float] | None) -> list:
        pairs = zip(names or (), cosines or (), strict=True)
        known = ((name, value) for name, value in pairs if name in self.row_of and value is not None)
        return [[self.row_of[name], round(value, 4)] for name, value in known if np.isfinite(value)]


def load_probes(material: "Material") -> dict[str, Probe]:
    """Every probe of the first run by name, that before training first, then as the evaluations are ordered."""
    run: RunDir = material.first
    names = [name for name in run.probe_tags() if run.probe_table("similarity", name).exists()]
    place = {tag: i for i, tag in enumerate(material.tags)}
    row_of = {name: i for i, name in enumerate(material.ids.to_pylist())} if names else {}
    probes = [_load(run, name, material, row_of) for name in names]
    probes.sort(key=lambda probe: (place.get(probe.tag, len(place)), probe.name))
    return {probe.name: probe for probe in probes}


def _load(run: RunDir, name: str, material: "Material", row_of: dict[str, int]) -> Probe:
    table = Similarity.read(run, name)
    labels = np.full(material.size, "", dtype=object)
    rows = table.places(material.ids)
    given = np.array([group or "" for group in table.group], dtype=object)
    labels[rows[rows >= 0]] = given[rows >= 0]
    return Probe(
        name=name,
        plain=material.aligned(table, Similarity.mean_cosine),
        corrected=material.aligned(table, Similarity.mean_cosine_corrected),
        low=material.aligned(table, Similarity.low),
        high=material.aligned(table, Similarity.high),
        n_correct=material.aligned(table, Similarity.n_correct),
        labels=labels,
        numbers=read_object(run.probe_json(name)),
        table=table,
        row_of=row_of,
    )


def choose_cosine(material: "Material") -> tuple[str, np.ndarray] | None:
    """The corrected cosines where most prompts of GROUPS have one, else the plain; None where there are few."""
    probe = material.probe
    if probe is None:
        return None
    for kind, share in (("corrected", ENOUGH), ("plain", 0)):
        values = getattr(probe, kind)
        known = [np.isfinite(values[material.groups == group]).sum() for group in GROUPS]
        probed = [np.isfinite(probe.plain[material.groups == group]).sum() for group in GROUPS]
        if all(n >= max(FEWEST, share * most) for n, most in zip(known, probed, strict=True)):
            return kind, values
    return None


class Separation(TypedDict):
    """How well a cosine tells the two groups apart, as the summary keeps it."""

    probe: str
    kind: str  # of the cosine: corrected or plain
    mean_kind: str  # of the groups' means
    learnable: float
    unlearnable: float
    prompts: int
    auc: float
    low: float
    high: float
    equal: dict[str, Any] | None  # the same at equal numbers of rollouts


def separation(material: "Material") -> Separation | None:
    """How well the mean cosine tells learnable from unlearnable prompts, also at equal numbers of rollouts; the groups'
    own means, from all of their rollouts with the noise taken out where that can be had. None without enough of both,
    or of a probe whose means and comparisons are of earlier groups.
    """
    probe, chosen = material.probe, choose_cosine(material)
    if probe is None or chosen is None or probe.name in outdated(material):
        return None
    kind, cosine = chosen
    values = [cosine[(material.groups == group) & np.isfinite(cosine)] for group in GROUPS]
    learnable, unlearnable = (float(found.mean()) for found in values)
    area = auc_with_interval(values[1], values[0])
    if area is None:
        return None
    pooled = [probe.pooled(group) for group in GROUPS]
    if pooled[0] and pooled[1]:
        learnable, unlearnable = pooled[0]["mean"], pooled[1]["mean"]
    return {
        "probe": probe.name,
        "kind": kind,
        "mean_kind": "corrected" if all(pooled) else kind,
        "learnable": learnable,
        "unlearnable": unlearnable,
        "prompts": sum(map(len, values)),
        "auc": area["auc"],
        "low": area["low"],
        "high": area["high"],
        "equal": at_equal_numbers(probe),
    }


def at_equal_numbers(probe: Probe) -> dict[str, Any] | None:
    """The comparison with the most rollouts of each prompt that still has enough prompts, or else the first."""
    found = (probe.numbers.get("separation") or {}).get("equal") or []
    return next((entry for entry in reversed(found) if min(entry["prompts"]) >= 20), found[0] if found else None)


def outliers(material: "Material") -> np.ndarray | None:
    """Hard prompts that the probe calls gradient outliers, (prompts,) bool; None where it tested none."""
    if material.probe is None:
        return None
    found = material.aligned(material.probe.table, Similarity.outlier)
    return found == 1 if np.isfinite(found).any() else None


def outdated(material: "Material") -> dict[str, Probe]:
    """Probes whose groups are no more those of the report, by name."""
    if material.provisional:
        return {}
    return {name: probe for name, probe in material.probes.items() if _relabelled(material, probe)}


def _relabelled(material: "Material", probe: Probe) -> bool:
    probed = np.isfinite(probe.n_correct)
    return bool((probe.labels[probed] != material.groups[probed]).any())
