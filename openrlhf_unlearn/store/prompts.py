"""Tables with a row a prompt: what it is, its label, and why it was not learned."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.store.columns import Column, flags, lists, numbers, texts
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.table import RunTable

GROUPS = ("easy", "learnable", "unlearnable", "no_reward", "mixed", "ungradable")
CAUSES = (  # why a hard prompt was not learned; openrlhf_unlearn/causes says what each means
    "verifier",
    "wrong_label",
    "guessable",
    "never_rewarded",
    "rising",
    "forgotten",
    "beyond",
    "random_label",
)


class Prompts(RunTable, name="prompts"):
    prompt_id = texts(core=True)
    prompt = texts(core=True)
    label = texts(core=True)
    datasource = texts()
    source_id = texts(optional=True)  # what the imported files call the prompt

    @classmethod
    def ids(cls, run: RunDir) -> pa.Array:
        """Of all prompts, in order."""
        return cls.read(run, cls.prompt_id)[cls.prompt_id].combine_chunks()

    @classmethod
    def texts(cls, run: RunDir) -> dict[str, str | None]:
        """Prompt id → prompt."""
        found = cls.read(run, cls.prompt_id, cls.prompt)
        return dict(zip(found.prompt_id, found.prompt, strict=True))


class Learnability(RunTable, name="learnability"):
    """Of several runs each has its columns too, after these."""

    prompt_id = texts(core=True)
    group = texts(core=True)
    initial_pass_rate = numbers()  # unbiased, after adaptive sampling too
    final_pass_rate = numbers()  # the same, over all runs
    ever_positive = flags()  # in training, in every run that visited it; null: none did
    p_below_tau = numbers()  # posterior P(final pass rate < tau)
    label_confidence = numbers(optional=True)  # P(the label is what the true pass rates would give)
    p_improved = numbers(optional=True)  # posterior P(final - initial pass rate > 0.05), mean over the runs
    initial_low = numbers(optional=True)  # intervals of the pass rates
    initial_high = numbers(optional=True)
    final_low = numbers(optional=True)
    final_high = numbers(optional=True)
    p_easy = numbers(optional=True)  # posterior of each group by the true pass rates; they add up to 1
    p_unlearnable = numbers(optional=True)
    p_learnable = numbers(optional=True)
    p_mixed = numbers(optional=True)
    n_initial: Column[np.ndarray] = Column(pa.int64(), optional=True)  # samples, of all runs
    n_final: Column[np.ndarray] = Column(pa.int64(), optional=True)
    runs_visited: Column[np.ndarray] = Column(pa.int64(), optional=True)  # whose training sampled it
    runs_rewarded: Column[np.ndarray] = Column(pa.int64(), optional=True)  # whose training sampled a positive of it
    run_agreement = numbers(optional=True)  # share of the runs that say what most of them say

    def with_run(self, number: int, rate: np.ndarray, group: np.ndarray) -> "Learnability":
        """With the final pass rate and the group by one of several runs alone."""
        return self.adding(**{f"final_pass_rate_run{number}": rate, f"group_run{number}": group})

    def with_paper_code(self, sets: Mapping[str, np.ndarray]) -> "Learnability":
        """With the sets of the paper's code, which overlap: group → (rows,) of bool."""
        return self.adding(**{f"paper_code_{group}": members for group, members in sets.items()})

    @classmethod
    def groups(cls, run: RunDir) -> dict[str, str]:
        """Prompt id → group."""
        return cls.groups_in(run.learnability)

    @classmethod
    def groups_in(cls, path: Path) -> dict[str, str]:
        found = cls.open(path, cls.prompt_id, cls.group)
        return dict(zip(found.prompt_id, found.group, strict=True))

    def by_paper_code(self, group: str) -> list[str]:
        """The group's prompts by the paper's code, whose sets overlap, where `classify --rule paper-code` made them."""
        column = f"paper_code_{group}"
        known = column in self.arrow.column_names
        chosen = self.arrow.column(column) if known else pc.equal(self[self.columns["group"]], group)
        return self.arrow.filter(chosen).column("prompt_id").to_pylist()


class Risks(RunTable, name="forecast"):
    """Of the hard prompts, before training."""

    prompt_id = texts()
    risk = numbers()  # P(not learned)
    risk_with_gradients = numbers()  # the same, by the initial probe too; null: not probed


class Causes(RunTable, name="causes"):
    prompt_id = texts()  # of the hard prompts that were not learned
    group = texts()
    cause = texts()  # of CAUSES, or "undecided"
    probability = numbers()  # of the likeliest cause
    p_verifier = numbers()  # the posterior of each of CAUSES; they add up to 1
    p_wrong_label = numbers()
    p_guessable = numbers()
    p_never_rewarded = numbers()
    p_rising = numbers()
    p_forgotten = numbers()
    p_beyond = numbers()
    p_random_label = numbers()
    evidence = lists(pa.string())  # sentences, the most telling first
    settle = texts()  # what would settle or confirm it
    command = texts()
    proposed = texts()  # the answer that samples agree on, where the label may be wrong
    proposed_share = numbers()  # of the samples after training

    @staticmethod
    def posterior(chances: Iterable[float]) -> dict[str, float]:
        """Columns p_… of a row, of the probabilities in the order of CAUSES."""
        return {f"p_{cause}": float(chance) for cause, chance in zip(CAUSES, chances, strict=True)}

    @staticmethod
    def chance(row: Any, causes: Iterable[str]) -> float:
        """P(one of these causes) of a row."""
        return sum(getattr(row, f"p_{cause}") for cause in causes)
