"""Groups of texts that say the same words: TF-IDF and HDBSCAN of scikit-learn, and the words that name each group.

A group without words of its own has no name, and is none: most of it must hold two words that little else holds, and
that stand together at least TOGETHER times as often as two words do by chance.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_TEXTS = 3000  # texts that groups are looked for in; members are then counted in all
SMALLEST, SMALLEST_SHARE = 10, 0.02  # texts of a group, and their share of all
INSIDE, OUTSIDE = 0.8, 0.2  # share of the group that holds a naming word; of all other texts
TOGETHER = 2.0
WORDS, CHARACTERS = 3, 2000  # words that name a group; of a text that are read
MOST_GROUPS = 8


def wordings(texts: Sequence[str]) -> list[tuple[tuple[str, ...], list[int]]]:
    """(words, places of the texts that hold all of them) of each group, the largest first; a text is in one group."""
    if len(texts) < 2 * SMALLEST:
        return []
    from sklearn.feature_extraction.text import CountVectorizer

    seen = np.unique(np.linspace(0, len(texts) - 1, MOST_TEXTS).astype(int))
    counter: Any = CountVectorizer(binary=True, token_pattern=r"(?u)\b[^\W\d_]{3,}\b", max_features=4000)
    try:
        holds = counter.fit_transform([texts[i][:CHARACTERS] for i in seen]).astype(bool)
    except ValueError:  # no words at all
        return []
    names = {_name(holds, counter.get_feature_names_out(), members) for members in _groups(holds)} - {()}
    found, taken = [], set()
    for words in sorted(names, key=lambda words: (-len(words), words)):  # of two that both fit, the closer one
        members = [i for i in _holding(counter, texts, words) if i not in taken]
        if len(members) >= max(SMALLEST, SMALLEST_SHARE * len(texts)):
            found.append((words, members))
            taken.update(members)
    return sorted(found, key=lambda group: -len(group[1]))[:MOST_GROUPS]


def _groups(holds) -> list[np.ndarray]:
    """(texts,) of bool for each dense group of texts."""
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    size = max(SMALLEST, int(SMALLEST_SHARE * holds.shape[0]))
    places = min(16, holds.shape[1] - 1, holds.shape[0] - 1)
    if places < 1 or holds.mean(axis=0).min() == 1:  # one word, or the same words in all
        return []
    weighed = TfidfTransformer().fit_transform(holds.astype(float))
    with np.errstate(all="ignore"):  # texts that are alike have no variance to explain, which is not asked for here
        near = normalize(TruncatedSVD(places, random_state=0).fit_transform(weighed))
    grouping: Any = HDBSCAN  # whose `copy` is a string by default
    labels = grouping(min_cluster_size=size, copy=True).fit_predict(near)
    return [labels == label for label in range(labels.max() + 1)]


def _name(holds, words: np.ndarray, members: np.ndarray) -> tuple[str, ...]:
    inside = np.asarray(holds[members].mean(axis=0)).ravel()
    outside = np.asarray(holds[~members].mean(axis=0)).ravel() if not members.all() else np.ones(len(words))
    telling = np.flatnonzero((inside >= INSIDE) & (outside <= OUTSIDE))
    best = telling[np.lexsort((words[telling], outside[telling] - inside[telling]))][:WORDS]
    if len(best) < 2:
        return ()
    alone, both = holds[:, best].mean(axis=0), (holds[:, best].sum(axis=1) == len(best)).mean()
    return tuple(words[best]) if both >= TOGETHER * np.prod(alone) else ()


def _holding(counter, texts: Sequence[str], words: tuple[str, ...]) -> list[int]:
    columns = [counter.vocabulary_[word] for word in words]
    holds = counter.transform([text[:CHARACTERS] for text in texts])[:, columns]
    return np.flatnonzero(np.asarray((holds > 0).sum(axis=1)).ravel() == len(words)).tolist()
