"""Prompts whose cause was planted: of trained built-in worlds, where they are there, and of simulated runs.

A trained run is any run directory under a folder whose world's truth is known: RUN/truth.parquet, or truth.parquet
beside the model that it started from. The evaluation `final` of RUN-second is its second model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from openrlhf_unlearn.causes.diagnosis import groups_of
from openrlhf_unlearn.causes.kin import nearest
from openrlhf_unlearn.causes.observed import Observed, Visits
from openrlhf_unlearn.causes.reading import pass_rates, read_cases, read_visits
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from tests.causes.simulator import KINDS, SHARES, Course, Simulated, simulate

FIT_WORLDS = (0, 1, 2)
WRONG = (0.05, 0.1, 0.2)
FIRST_SEED = 10_000  # of simulated runs that judge; those before are for fitting


def shares(**others: float) -> np.ndarray:
    """The usual shares of the simulated kinds, but for some."""
    mine = np.array(list((dict(zip(KINDS, SHARES, strict=True)) | others).values()))
    return mine / mine.sum()


HELD_OUT = {  # what judges: as it is, as messy as any that was fitted, messier, and other shares at a mess of 1/2
    "simulated": {},
    "simulated, mess 1": {"mess": 1.0},
    "simulated, mess 1.5": {"mess": 1.5},
    "simulated, every kind as often": {"mess": 0.5, "shares": shares(**dict.fromkeys(KINDS, 1.0))},
    "simulated, most kinds learned": {"mess": 0.5, "shares": shares(known=0.4, learnable=0.5)},
    "simulated, most beyond the model": {"mess": 0.5, "shares": shares(beyond=0.6, random=0.3)},
    "simulated, many graded wrong": {"mess": 0.5, "shares": shares(format=0.4)},
}
CAUSE_OF = {  # of the built-in world
    "beyond": "beyond",
    "random": "random_label",
    "guessable": "guessable",
    "never": "never_rewarded",
    "wrong_label": "wrong_label",
    "verifier": "verifier",
}


@dataclass(frozen=True)
class Planted:
    """One run: what is known of its hard prompts that were not learned, and the planted cause of each, (prompts,);
    "" where none was planted, as of a learnable prompt that was not learned."""

    observed: Observed
    cause: np.ndarray
    name: str
    world: int | None = None
    weight: float = 1.0  # of a prompt in the fit
    planted: np.ndarray | None = None  # `cause` without a second model, if that is another

    @property
    def has_second(self) -> bool:
        return bool(self.observed.seconds)

    @property
    def alone(self) -> "Planted":
        """The same without a second model."""
        cause = self.cause if self.planted is None else self.planted
        return replace(self, observed=replace(self.observed, seconds=[], kin_second=None), cause=cause)


def held_out(seed: int, title: str) -> Simulated:
    """Wrong labels at 5, 10 and 20 %, at random and by a rule in turn, with a second model and texts."""
    return simulate(seed, WRONG[seed % 3], seed % 2 == 1, **HELD_OUT[title])


def simulated(seed: int, title: str) -> Planted:
    found = held_out(seed, title)
    return Planted(found.observed, found.cause, f"simulated {seed}", planted=found.planted)


def to_fit(seed: int) -> Simulated:
    """Any mess up to 1 and shares drawn around the usual ones; every fourth without wrong labels, every third without a
    second model, every fifth without texts."""
    rng = np.random.default_rng([seed, 2])
    mess, mine = rng.uniform(0, 1), rng.dirichlet(9 * np.array(SHARES))
    wrong, second, text = WRONG[seed % 3] if seed % 4 else 0.0, seed % 3 != 2, seed % 5 != 4
    return simulate(seed, wrong, seed % 2 == 1, second, text=text, mess=mess, shares=mine)


def simulated_to_fit(seed: int) -> Planted:
    """Every seventh is without training too, and every eleventh without samples before it, as in a label audit."""
    found = to_fit(seed)
    observed = found.observed
    if seed % 7 == 6:
        observed = replace(observed, visits=Visits.none())
    if seed % 11 == 10:
        observed = replace(observed, early=None)
    return Planted(observed, found.cause, f"simulated {seed}")


def trained(folder: Path | None) -> Iterator[Planted]:
    """Every finished run under `folder` with a known truth, without a second model, and with one where it has one."""
    for run_json in sorted(folder.glob("**/run.json")) if folder and folder.exists() else ():
        run = RunDir(run_json.parent)
        truth, world = _truth(run)
        if truth is None or not {"initial", "final"} <= set(run.evaluation_tags()) or not run.steps():
            continue
        planted = {row["prompt_id"]: row["cause"] for row in read_table(truth).to_pylist()}
        other = RunDir(run.path.with_name(f"{run.path.name}-second")).evaluation("final")
        for seconds in [[], [("second", other)]] if other.exists() else [[]]:
            cases = read_cases([run], groups_of([run]), seconds)
            cause = np.array([CAUSE_OF.get(planted.get(name), "") for name in cases.ids])
            yield Planted(cases.observed, cause, str(run.path.relative_to(folder)), world)


def _truth(run: RunDir) -> tuple[Path | None, int | None]:
    """(the planted truth, the world's seed) of a run on a built-in world."""
    beside = Path(str(run.config().model or "")).parent
    for path in (run.path / "truth.parquet", beside / "truth.parquet"):
        about = next((p for p in (run.path / "world.json", beside / "world.json") if p.exists()), None)
        if path.exists():
            return path, read_json(about).get("seed") if about else None
    return None, None


def courses(folder: Path | None) -> Iterator[tuple[int | None, Course]]:
    """(world, training) of every finished run under `folder` with a known truth."""
    for run_json in sorted(folder.glob("**/run.json")) if folder and folder.exists() else ():
        run = RunDir(run_json.parent)
        truth, world = _truth(run)
        if truth is None or not {"initial", "final"} <= set(run.evaluation_tags()) or not run.steps():
            continue
        prompts = read_table(run.prompts, ["prompt_id", "prompt"])
        ids = prompts.column(0).combine_chunks()
        initial, final = (pass_rates([run.evaluation(tag)], ids) for tag in ("initial", "final"))
        near = nearest(prompts.column(1).to_pylist(), np.arange(len(ids)))
        yield world, Course(read_visits([run], ids), final, initial < 0.1, near)
