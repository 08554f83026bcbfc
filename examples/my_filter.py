"""A filter of your own: `--unlearn.filter examples/my_filter.py:NearlySolved`.

Subclass SampleFilter and say of each group whether it trains; whatever reason you give becomes a metric and a column.
This one trains on groups that have a positive and a negative rollout, but not on those that are nearly solved.
"""

from openrlhf_unlearn.filters import Decision, Group, SampleFilter


class NearlySolved(SampleFilter):
    def __init__(self, config):
        super().__init__(config)
        self.nearly_solved_seen = 0  # state: saved in OpenRLHF's checkpoint, restored by a resume

    def decide(self, group: Group) -> Decision:
        if group.n_positive == 0:
            return Decision(False, "no_positive")
        if group.n_positive >= self.config.k - 1:
            self.nearly_solved_seen += 1
            return Decision(False, "nearly_solved")
        return Decision(True, "accepted", group.rollouts)

    def state_dict(self) -> dict:
        return {"nearly_solved_seen": self.nearly_solved_seen}

    def load_state_dict(self, state: dict) -> None:
        self.nearly_solved_seen = state["nearly_solved_seen"]
