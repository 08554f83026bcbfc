"""When a rollout is positive: by what its framework says apart from the reward, else by a threshold."""

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.formats.base import ImportedRollout
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD, RunDir

BINARY = (frozenset({0.0, 1.0}), frozenset({-1.0, 1.0}))


class PositiveRule:
    """Sees every rollout, then settles; a threshold that is given goes before all else.

    Rewards of two values, 0 and 1 or -1 and 1, need none. Others are judged by the framework's own word, where every
    rollout has it, else by the threshold that an earlier import into the run was given.
    """

    def __init__(self, run: RunDir, given: float | None, binary: tuple[frozenset[float], ...] = ()):
        """`binary`: pairs of rewards, besides our own, of which the larger one says that the answer is right."""
        self.given = given
        self._binary = (*BINARY, *binary)
        known = run.config(required=False)
        self._known = known.threshold if known.threshold_given else None
        self._values: set[float] = set()  # the first few
        self._silent = 0  # rollouts without the framework's own word
        self._n = 0
        self.threshold, self.by = POSITIVE_THRESHOLD if given is None else given, "reward"

    def see(self, rollout: ImportedRollout) -> None:
        if len(self._values) < 4 and rollout.reward is not None:
            self._values.add(rollout.reward)
        self._silent += rollout.positive is None
        self._n += 1

    def settle(self, source: str) -> None:
        """Raises UserError where neither values nor anyone says which rewards are positive."""
        if self.given is not None:
            return
        if self._n and not self._silent:
            self.by = "framework"
            return
        self.by = "reward"  # also where a live run's framework has fallen silent
        if pair := next((pair for pair in self._binary if self._values <= pair), None):
            self.threshold = sum(pair) / 2 if pair not in BINARY else POSITIVE_THRESHOLD
        else:
            if self._known is None:
                other = min(self._values - {0.0, 1.0})
                raise UserError(
                    f"{source} has rewards other than 0 and 1 (such as {other:g}); say above which one is positive: "
                    "--threshold"
                )
            self.threshold = self._known

    def positive(self, reward: float | None, said: bool | None) -> bool:
        return bool(said) if self.by == "framework" else reward is not None and reward > self.threshold

    def __str__(self) -> str:
        return "what the framework says" if self.by == "framework" else f"reward above {self.threshold:g}"

    def as_json(self) -> dict:
        return {"by": self.by, "threshold": self.threshold, "given": self.given is not None}
