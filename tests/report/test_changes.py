"""Fixed, broken, unchanged, open: and the data under which nothing of it is said."""

import numpy as np
import pytest

from openrlhf_unlearn.report.changes import KINDS, changes
from openrlhf_unlearn.report.material import Tally
from openrlhf_unlearn.stats.means import share_difference, wilson


def tally(positive, n, adaptive: bool = False) -> Tally:
    positive, n = np.asarray(positive), np.broadcast_to(n, np.shape(positive))
    return Tally(n, positive, {}, np.divide(positive, n, out=np.full(len(n), np.nan), where=n > 0), adaptive)


def kinds(before: Tally, after: Tally) -> list[str]:
    return [KINDS[kind] if kind >= 0 else "" for kind in changes("b", before, after, len(before.n)).kind]


def test_each_kind_of_change():
    before, after = tally([2, 30, 0, 16, 0], [32, 32, 32, 32, 0]), tally([30, 2, 0, 16, 5], 32)
    assert kinds(before, after) == ["fixed", "broken", "unchanged", "open", ""]
    counts = changes("b", before, after, len(before.n)).counts()
    assert counts == {"run": "b", "prompts": 4, "open": 1, "unchanged": 1, "fixed": 1, "broken": 1, "told": True}


def test_few_samples_leave_it_open():
    assert kinds(tally([0], 4), tally([4], 4)) == ["fixed"], "the least that Fisher's test can tell"
    assert kinds(tally([0], 3), tally([3], 3)) == ["open"]
    assert kinds(tally([0] * 100, 4), tally([4] + [0] * 99, 4))[0] == "open", "one of a hundred may be luck"


def test_luck_alone_breaks_few():
    """Without any change, the share of 60 pages of 300 prompts on which any is called is at most the rate."""
    rng = np.random.default_rng(0)
    rates = rng.choice([0.0, 0.05, 0.5, 0.9], 300)
    called = 0
    for _ in range(60):
        found = kinds(*(tally(rng.binomial(32, rates), 32) for _ in range(2)))
        called += "fixed" in found or "broken" in found
    assert called / 60 <= 0.05


def test_adaptive_sampling_has_differences_and_no_verdicts():
    change = changes("b", tally([0], 8, adaptive=True), tally([8], 8), 1)
    assert change.difference.tolist() == [1.0] and np.isnan(change.low).all() and change.kind.tolist() == [0]
    assert not change.counts()["told"]
    without = changes("b", None, tally([1], 8), 1)
    assert np.isnan(without.difference).all() and without.counts()["prompts"] == 0 and without.kind.tolist() == [-1]


def test_the_interval_is_newcombes():
    """Newcombe (1998), table II, the cases (56/70 - 48/80) and (0/10 - 0/20)."""
    low, high = share_difference(48, 80, 56, 70)
    assert (low, high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert share_difference(0, 20, 0, 10) == (pytest.approx(-wilson(0, 20)[1]), pytest.approx(wilson(0, 10)[1]))
