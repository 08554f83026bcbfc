"""A prompt's kin: the prompts nearest to it by wording, numbers left out. What was learned of them tells what could be.

Wording is TF-IDF over character n-grams, digits made alike, so that problems of one template are near. No label and no
outcome is looked at to find them.
"""

import re
from typing import Any

import numpy as np

NEIGHBOURS, FEWEST, NEAR = 16, 4, 0.3  # how many; how many must be there; cosine from which a prompt is near
POOL = 4000  # so many prompts are searched, by lot where there are more: else the work grows with their square
BLOCK = 256
_DIGIT = re.compile(r"\d")  # one for one: a sum of longer numbers is another task


def nearest(texts: list[str], rows: np.ndarray) -> list[np.ndarray]:
    """Of each of `rows` the nearest other texts, NEIGHBOURS at most; equally near ones in a fixed mixed order."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    masked = [_DIGIT.sub("0", text) or " " for text in texts]
    mixed = np.random.default_rng(0).permutation(len(texts))  # texts of one template are equally near
    place, mixed = np.argsort(mixed), mixed[:POOL]
    single: Any = np.float32  # scikit-learn's own types know doubles alone
    vectors: Any = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, max_features=30_000, dtype=single
    )
    pooled, found = vectors.fit_transform([masked[i] for i in mixed]), []
    pool = pooled.T.tocsr()
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        own = pooled[place[block]] if len(texts) <= POOL else vectors.transform([masked[i] for i in block])
        near = (own @ pool).toarray()
        for row, cosines in zip(block, near, strict=True):
            order = np.flatnonzero((cosines >= _least(cosines)) & (mixed != row))
            order = order[np.argsort(-cosines[order], kind="stable")][:NEIGHBOURS]
            found.append(mixed[order])
    return found


def _least(cosines: np.ndarray) -> float:
    """The cosine that the nearest have at least; one more than NEIGHBOURS, for the prompt itself is among them."""
    most = len(cosines) - NEIGHBOURS - 1
    return max(NEAR, np.partition(cosines, most)[most]) if most > 0 else NEAR


def kin_rate(near: list[np.ndarray], rate: np.ndarray) -> np.ndarray:
    """Mean pass rate of each one's kin, nan with fewer than FEWEST of known rate. rate: (all prompts,)."""
    found = np.full(len(near), np.nan)
    for i, rows in enumerate(near):
        rates = rate[rows]
        rates = rates[np.isfinite(rates)]
        if len(rates) >= FEWEST:
            found[i] = rates.mean()
    return found
