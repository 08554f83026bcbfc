"""What single characters mean."""

from openrlhf_unlearn.grading.formula.nodes import Node
from openrlhf_unlearn.grading.formula.symbols import RELATIONS

_KINDS = {",": "sep", ";": "sep", "|": "bar", "'": "prime", "%": "pct", ":": "colon", "&": "amp"}


def sign_at(text: str, at: int) -> tuple[int, Node]:
    """(the end, the node) of the sign that stands there; brackets and scripts are the reader's."""
    char = text[at]
    if char in "<>!" and text.startswith("=", at + 1):
        return at + 2, Node("rel", char + "=")
    if char in RELATIONS:
        return at + 1, Node("rel", RELATIONS[char])
    if char in "+-*/!":
        return at + 1, Node("op", char)
    if text.startswith("...", at):
        return at + 3, Node("dots", "...")
    return at + 1, Node("word" if char in "€£¥₹₩₽¢" else _KINDS.get(char, "mark"), char)
