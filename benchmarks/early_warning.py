"""Is P(not learned at the end) better than the current pass rate, while training runs?

    python benchmarks/early_warning.py [--worlds FOLDER] [--simulated 120] [--write]

Of prompts that are hard before training, at a sixth, a third, half and two thirds of it: Brier score of causes/early.py
(with kin, and alone), of 1 - the current rate (of the last visit, and discounted), and of a logistic regression on that
rate alone; and what a stop at 95 % certainty would have saved in rollouts and cost in prompts that were learned later.
Fitted on simulated runs and worlds 0 to 2, judged on later seeds and other worlds. The ratio is to the best of the
current rates, fitted or not, at a third.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.planted import FIRST_SEED, FIT_WORLDS, HELD_OUT, courses, held_out, to_fit
from openrlhf_unlearn.causes.early import ALONE, FILE, OF_KIN, chance, features, weights
from openrlhf_unlearn.collect.history import histories
from openrlhf_unlearn.store.run_dir import write_json
from tests.causes.simulator import Course

POINTS, TAU, SURE = (1 / 6, 1 / 3, 1 / 2, 2 / 3), 0.1, 0.95
CURRENT = ("current_rate", "discounted_rate", "rate_fitted")


@dataclass
class Moment:
    """The hard prompts of one run at one time: what is known, and whether each will not be learned."""

    x: np.ndarray  # (prompts, features), of kin too
    rate: np.ndarray  # discounted, now
    last: np.ndarray  # share of positives of the last visit
    failed: np.ndarray  # bool
    left: int  # rollouts of a prompt until the end

    @property
    def p(self) -> np.ndarray:
        return chance(self.x)

    @property
    def alone(self) -> np.ndarray:
        """The same without kin."""
        return chance(self.x[:, : len(ALONE)])


def moment(course: Course, done: float) -> Moment:
    visits, size = course.visits, len(course.final)
    early = visits.step <= done * visits.step.max()
    past = histories(visits.row[early], visits.n[early], visits.positive[early], size)
    last = np.zeros(size)
    last[visits.row[early]] = visits.positive[early] / visits.n[early]
    kept = np.array([h.visits > 0 for h in past]) & course.hard
    x, rate = features(past, done, course.near), np.array([h.rate for h in past])
    left = int(visits.n[~early].sum() / size)
    return Moment(x[kept], rate[kept], last[kept], (course.final < TAU)[kept], left)


def brier(p: np.ndarray, failed: np.ndarray) -> float:
    return round(float(((p - failed) ** 2).mean()), 4)


def joined(moments: list[Moment], name: str) -> np.ndarray:
    return np.concatenate([getattr(one, name) for one in moments])


def odds(rate: np.ndarray) -> np.ndarray:
    return np.log(rate / (1 - rate))[:, None]


def judged(fitting: list[Moment], held: list[Moment]) -> dict:
    """fitting: for the regression on the current rate alone, the fairest rival."""
    failed, rate, p = (joined(held, name) for name in ("failed", "rate", "p"))
    rival = LogisticRegression().fit(odds(joined(fitting, "rate")), joined(fitting, "failed"))
    stopped = p >= SURE
    return {
        "prompts": len(p),
        "not_learned": int(failed.sum()),
        "brier": brier(p, failed),
        "alone": brier(joined(held, "alone"), failed),
        "current_rate": brier(1 - joined(held, "last"), failed),
        "discounted_rate": brier(1 - rate, failed),
        "rate_fitted": brier(rival.predict_proba(odds(rate))[:, 1], failed),
        "stopped": int(stopped.sum()),
        "rollouts_saved": sum(int((m.p >= SURE).sum()) * m.left for m in held),
        "rollouts_left": sum(len(m.p) * m.left for m in held),
        "learned_later": int((stopped & ~failed).sum()),
        "learned": int((~failed).sum()),
    }


def fitted(moments: list[Moment], names: tuple[str, ...]) -> dict[str, float]:
    """Weights of the first so many features."""
    x, failed = joined(moments, "x")[:, : len(names)], joined(moments, "failed")
    model = LogisticRegression(C=10.0, max_iter=3000).fit(x, failed)
    found = {"constant": model.intercept_[0], **dict(zip(names, model.coef_[0], strict=True))}
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=Path, help="folder with trained worlds")
    parser.add_argument(
        "--simulated", type=int, default=120, help="simulated runs to fit on; a quarter as many judge, of each sort"
    )
    parser.add_argument("--write", action="store_true", help="fit anew and write early.json")
    args = parser.parse_args()
    real = list(courses(args.worlds))
    fit = [course for world, course in real if world in FIT_WORLDS]
    fit += [to_fit(seed).course for seed in range(args.simulated)]
    fitting = {done: [moment(course, done) for course in fit] for done in (*POINTS, 0.9)}
    if args.write:
        moments = [one for at_once in fitting.values() for one in at_once]
        write_json(FILE, {"alone": fitted(moments, ALONE), "with kin": fitted(moments, ALONE + OF_KIN)})
        weights.cache_clear()
    later = range(FIRST_SEED, FIRST_SEED + args.simulated // 4)
    held = {title: [held_out(seed, title).course for seed in later] for title in HELD_OUT}
    held["trained worlds 3 to 9"] = [course for world, course in real if world not in FIT_WORLDS]
    results: dict = {}
    for title, chosen in held.items():
        for done in POINTS if chosen else ():
            found = judged(fitting[done], [moment(course, done) for course in chosen])
            results.setdefault(title, {})[f"{done:.2f}"] = found
            print(title, f"{done:.2f}", found)
    third = results.get("trained worlds 3 to 9", results["simulated"])["0.33"]
    ratio = round(third["brier"] / min(third[name] for name in CURRENT), 3)
    print(json.dumps({"benchmark": "early_warning", "ratio": ratio, "bar": 1.0, "better": "lower", "results": results}))


if __name__ == "__main__":
    main()
