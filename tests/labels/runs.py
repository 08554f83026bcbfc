"""Writes small run directories with known pass rates for the tests of classification, import and export."""

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, write_table
from openrlhf_unlearn.store.training import Rewards
from tests.support.runs import start
from tests.tables import of_dicts


def ids(n: int) -> list[str]:
    return [prompt_id(f"question {i}", str(i)) for i in range(n)]


def evaluation_table(outcomes: np.ndarray, verdicts: dict[int, str] | None = None) -> pa.Table:
    """outcomes: (prompts, samples) of rewards; `verdicts` sets that of all samples of a prompt."""
    prompts, samples = outcomes.shape
    row, sample = np.divmod(np.arange(outcomes.size), samples)
    verdict = np.where(outcomes.ravel() > 0.5, "correct", "wrong").astype(object)
    for i, name in (verdicts or {}).items():
        verdict[row == i] = name
    return pa.table(
        {
            "prompt_id": np.array(ids(prompts))[row],
            "sample": sample.astype(np.int32),
            "response": [f"answer {i}" for i in range(outcomes.size)],
            "reward": outcomes.ravel().astype(float),
            "verdict": list(verdict),
            "n_tokens": np.full(outcomes.size, 3, dtype=np.int32),
        },
        schema=Evaluations.schema,
    )


def outcomes(positives, n: int = 32, seed: int = 0) -> np.ndarray:
    """(prompts, n) rewards with the given number of positives each, in an order of their own."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.arange(n) < positive) for positive in positives]
    return np.array(rows, dtype=float)


def make_run(path, initial, final, ever=None, n: int = 32, seed: int = 0, verdicts=None, model="m") -> RunDir:
    """A run with these positives of n before and after; `ever`: positives in training, None for an unvisited prompt."""
    size = len(initial)
    run = start(path, ((f"question {i}", str(i)) for i in range(size)), model=model, seed=seed)
    write_table(run.evaluation("initial"), evaluation_table(outcomes(initial, n, 1000), verdicts))
    write_table(run.evaluation("final"), evaluation_table(outcomes(final, n, seed), verdicts))
    visited = [(i, count) for i, count in enumerate(ever if ever is not None else [1] * size) if count is not None]
    for step in (1, 2):
        rewards = [
            {
                "prompt_id": ids(size)[i],
                "processed": processed,
                "n": 8,
                "n_positive": count if step == 2 else 0,
                "mean_reward": count / 8 if step == 2 else 0.0,
                "std_reward": 0.0,
                **dict.fromkeys(("n_replayed", "n_no_answer", "n_timeout", "n_error"), 0),
                "accepted": True,
                "reason": "accepted",
            }
            for i, count in visited
            for processed in (False, True)
        ]
        of_dicts(Rewards, rewards).write(run, step)
    return run
