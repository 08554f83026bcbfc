"""The names in an expression, and whether it is nothing but a name."""

import re

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes, within, writing_of

_CALL = re.compile(r"[lL]s?u?p{0,3}[(\[](?:[^()\[\]]|\([^()\[\]]{1,20}\)){1,20}[)\]]")
_NAME = re.compile(
    r"(?:l?c)?(?:l|L{1,2}|W)s?p{0,3}|Lu|[lL]s?u?p{0,3}\([lLi]\)|\|[alLWo]{1,5}\||as?|f(?:[lL]|\([lL]\))?"
    r"|W{1,5}(?:c?[lLW]{1,3}|\([lL]\))?|[LC]sn|sLs|\[W\]|\([lL](?:,[lL]){1,5}\)"
)
_LIMIT = Node("fn", "lim")
_NAMED_SQUARES = (r"\sigma ^{2}", "R ^{2}", "s ^{2}")  # variance, determination
_FUNCTIONS = ("P", "E", "D", "V", "N", "f", "g", "h", "F", "G", "H")


def is_name(nodes: Nodes) -> bool:
    r"""Whether it names something: x, x_1, AB, |AB|, P(A), f'(x), \angle ABC, \sin A; not x^2, 2x or x+y."""
    if [node.kind for node in nodes] == ["frac"]:  # dy/dx, [ABC]/[DEF]
        derivative = all(arg[:1] in ((Node("let", "d"),), (Node("cmd", "partial"),)) for arg in nodes[0].args)
        return derivative or all(is_name(arg) and set("LW") & set("".join(map(_code, arg))) for arg in nodes[0].args)
    if len(nodes) > 2 and nodes[0] == _LIMIT and nodes[1].kind == "sub":
        return is_name(nodes[2:])
    if writing_of(nodes) in _NAMED_SQUARES:
        return True
    code = "".join(map(_code, nodes))
    if nodes and _CALL.fullmatch(code) and (nodes[0].text in _FUNCTIONS or nodes[0].kind == "sym"):
        return True
    return bool(_NAME.fullmatch(code))


def _code(node: Node) -> str:
    if node.kind == "let":
        return "L" if node.text.isupper() else "l"
    if node.kind == "word":
        return "W"
    if node.kind == "cmd":
        return "c" if node.text in ("angle", "triangle", "measuredangle", "odot", "square") else "X"
    if node.kind == "num":
        return "i"
    if node.kind == "sup":
        written = [n.text for n in node.args[0]]
        return "u" if written == ["-", "1"] else "n" if len(written) == 1 and written[0].isdigit() else "X"
    if node.kind == "sym" and node.args and writing_of(node.args[0]) in ("E", "P"):
        return "L"
    single = {"sub": "s", "prime": "p", "accent": "a", "fn": "f", "sep": ",", "bar": "|", "set": "o"}
    if node.kind in ("open", "close"):
        return node.text if node.text in "()[]" else "X"
    return single.get(node.kind, "X")


def names(nodes: Nodes) -> set[str]:
    """The variables that occur, with their subscripts."""
    found: set[str] = set()
    for i, node in enumerate(nodes):
        if node.kind == "let":
            below = nodes[i + 1] if i + 1 < len(nodes) and nodes[i + 1].kind == "sub" else None
            found.add(node.text + (writing_of(below.args[0]) if below else ""))
        for arg in node.args if node.kind not in ("sub", "accent", "sym") else ():
            found |= names(arg)
    return found


def letters(nodes: Nodes) -> set[str]:
    """The variables that occur."""
    found: set[str] = set()
    for node in nodes:
        if node.kind == "let":
            found.add(node.text)
        for arg in node.args if node.kind not in ("sub", "accent", "sym") else ():
            found |= letters(arg)
    return found


def unevaluated(nodes: Nodes) -> bool:
    """Whether it is a sum, product, integral or limit that is not worked out."""
    found = within(nodes)
    return any(node.kind == "sym" and node.text in ("sum", "prod", "int") or node == _LIMIT for node in found)
