"""What stands around an answer: "the answer is", "Answer:", "=" and "⇒" before it, the end of a sentence after it."""

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

_VERBS = {"is", "are", "equals", "be"}
_ANNOUNCING = {"answer", "ans", "option", "choice", "so", "thus", "hence", "therefore"}
_ADVERSE_WORDS = """
not wrong incorrect never or no if unless except maybe perhaps least most could might may cannot possibly probably
likely about around approximately nearly almost neither
"""
ADVERSE = set(_ADVERSE_WORDS.split())
_PREFIX = {"the", "final", "answer", "is", "are", "correct", "result", "value", "so", "thus", "hence", "therefore",
"solution",
           "solutions", "option", "choice", "ans", "answers"}  # fmt: skip


def trimmed(found: Nodes) -> Nodes:
    """Without the end of a sentence, and without "the answer is", "Answer:", "=" and "⇒" before the answer."""
    found = _without_prefix(found)
    while found and (found[0].kind in ("lead", "sep") or found[0] in (Node("rel", "="), Node("rel", "~"))):
        found = found[1:]
    if found and found[-1] == Node("mark", "."):
        found = found[:-1]
    while found and found[-1].kind in ("sep", "colon", "row"):
        found = found[:-1]
    return found


def _without_prefix(found: Nodes) -> Nodes:
    """ "Total: 5", "the area is 5", "so 5" as 5: some words and a colon or verb; none of them may change what
    follows."""
    kinds = [node.kind for node in found]
    if kinds[:2] == ["let", "colon"] and "rel" in kinds and kinds.count("colon") == 1:
        return found[2:]  # the name of a line or circle
    end = next((i for i, node in enumerate(found) if node.kind != "word"), len(found))
    said = [node.text.casefold() for node in found[:end]]
    if not said or end == len(found) or end > 8 or not ADVERSE.isdisjoint(said):
        return found
    if found[end] == Node("let", "a") and found[end + 1 : end + 2] and found[end + 1].kind == "word":
        return found  # Ann is a thief
    if found[end].kind == "colon":
        return found[end + 1 :] or found
    return found[end:] if said[-1] in _VERBS or set(said) <= _PREFIX and said[-1] in _ANNOUNCING else found
