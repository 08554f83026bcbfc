import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from openrlhf_unlearn.causes import kin

TEMPLATES = ("What is {} plus {}?", "Give the greatest common divisor of {} and {}.", "Spell {}{} backward", "{} {}")
TEXTS = [TEMPLATES[i % len(TEMPLATES)].format(i * 7 % 90, i) + " abcdef"[: i % 5] for i in range(120)]


@pytest.mark.parametrize("pool", [kin.POOL, 40])
def test_nearest_of_the_pool(monkeypatch, pool):
    """Against all cosines, sorted; ties may stand in any order."""
    monkeypatch.setattr(kin, "POOL", pool)
    rows = np.arange(0, 120, 3)
    searched = np.random.default_rng(0).permutation(120)[:pool]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    masked = [kin._DIGIT.sub("0", text) for text in TEXTS]
    known = vectors.fit_transform([masked[i] for i in searched])
    for row, near in zip(rows, kin.nearest(TEXTS, rows), strict=True):
        cosines = (vectors.transform([masked[row]]) @ known.T).toarray()[0]
        others = np.sort(cosines[(searched != row) & (cosines >= kin.NEAR)])[::-1]
        where = {text: place for place, text in enumerate(searched)}
        assert row not in near
        np.testing.assert_allclose([cosines[where[i]] for i in near], others[: kin.NEIGHBOURS], rtol=1e-5)


def test_a_text_is_looked_at_once(monkeypatch):
    """The vectors of the texts that are searched are there when their own kin are asked for."""
    seen, real = [], TfidfVectorizer.build_analyzer

    def build_analyzer(self):
        split = real(self)
        return lambda text: seen.append(text) or split(text)

    monkeypatch.setattr(TfidfVectorizer, "build_analyzer", build_analyzer)
    kin.nearest(TEXTS, np.arange(120))
    assert len(seen) == 120


def test_a_prompt_like_no_other_has_no_kin():
    (near,) = kin.nearest([*TEXTS, "zzyzx qqq"], np.array([120]))
    assert len(near) == 0
    assert np.isnan(kin.kin_rate([near], np.ones(121))).all()
