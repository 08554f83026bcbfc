"""The order in which the kinds are asked; the first that knows the nodes says what they are."""

from functools import lru_cache

from openrlhf_unlearn.grading.classify.brackets import bare_builder, bracketed, turned_interval
from openrlhf_unlearn.grading.classify.family import family_of, with_family
from openrlhf_unlearn.grading.classify.grids import environment
from openrlhf_unlearn.grading.classify.numerals import based, clock, mixed
from openrlhf_unlearn.grading.classify.quantity import quantity
from openrlhf_unlearn.grading.classify.relations import joined, ratio, relation, residue
from openrlhf_unlearn.grading.classify.several import many
from openrlhf_unlearn.grading.classify.shapes import Classifier, Shape, Words
from openrlhf_unlearn.grading.classify.trim import trimmed
from openrlhf_unlearn.grading.formula.nodes import Nodes
from openrlhf_unlearn.grading.formula.reader import nodes

_CLASSIFIERS: tuple[Classifier, ...] = (
    turned_interval,
    based,
    clock,
    bare_builder,
    many,
    relation,
    residue,
    joined,
    bracketed,
    environment,
    ratio,
)


@lru_cache(maxsize=256)
def shape(text: str) -> Shape:
    """Raises nodes.Unreadable for what is no formula."""
    return of(trimmed(nodes(text)))


def of(found: Nodes) -> Shape:
    """The shape of some nodes."""
    if not found:
        return Words(())
    family, found = family_of(mixed(found))
    if family:
        return with_family(of(found), family)
    for classifier in _CLASSIFIERS:
        result = classifier(found, of)
        if result is not None:
            return result
    return quantity(found)
