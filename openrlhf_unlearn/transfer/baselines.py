"""What else might predict transfer: the cosine, and without gradients likeness of texts, hidden states, names."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np


def mean_cosines(
    first: np.ndarray, second: np.ndarray, trained: Sequence[list[int]], measured: Sequence[list[int]]
) -> np.ndarray:
    """(trained, measured) mean cosine of rows of `first` in cluster a with rows of `second` in b."""
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30) for rows in (first, second)]
    left = np.stack([unit[0][rows].mean(0) for rows in trained])
    right = np.stack([unit[1][rows].mean(0) for rows in measured])
    return (left @ right.T).astype(float)


def text_vectors(texts: Sequence[str]) -> np.ndarray:
    """(texts, features) TF-IDF of character n-grams: the likeness that a reader sees, of words, digits and form."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    found = cast(Any, vectors.fit_transform(texts))  # scikit-learn has no types
    size = min(256, min(found.shape) - 1)
    if size < 1:
        return found.toarray()
    return TruncatedSVD(size, random_state=0).fit_transform(found)


def same_name(trained: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """(trained, clusters) 1 where a cluster is the trained one: that training helps its own kind and no other."""
    return np.array([[float(a == b) for b in names] for a in trained])
