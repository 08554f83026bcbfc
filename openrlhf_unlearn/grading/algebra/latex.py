"""LaTeX written anew from the nodes, as the parser reads it without mistakes."""

from fractions import Fraction

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

_SPECIAL = {
    "infty": r"\infty ",
    "pi": r"\pi ",
    "emptyset": r"\emptyset ",
    "sum": r"\sum",
    "prod": r"\prod",
    "int": r"\int",
}
# The parser takes I for the imaginary unit, with any subscript, and fails on e_1 and E_1: letters that nobody writes.
_STAND_INS = {"I": r"\varpi", "e": r"\varrho", "E": r"\varsigma"}
_RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": r"\le ", ">=": r"\ge ", "to": r"\to "}


def latex(nodes: Nodes) -> str:
    return " ".join(_latex(node, i, nodes) for i, node in enumerate(nodes))


def _latex(node: Node, i: int, nodes: Nodes) -> str:
    kind, text = node.kind, node.text
    if kind == "num":
        return _decimal(text) if "." in text else text
    if kind == "let":
        below = i + 1 < len(nodes) and nodes[i + 1].kind == "sub"
        text = _STAND_INS.get(text, text) if below or text == "I" else text
        return f"{text} " if text.startswith("\\") else text
    if kind == "fn":
        return f"\\{text} "
    if kind in ("frac", "binom"):
        times = r"\cdot " if kind == "binom" and i and nodes[i - 1].kind in ("binom", "num", "frac", "close") else ""
        return rf"{times}\{kind}{{{latex(node.args[0])}}}{{{latex(node.args[1])}}}"
    if kind == "sqrt":
        index = f"[{latex(node.args[0])}]" if node.args[0] else ""
        return rf"\sqrt{index}{{{latex(node.args[1])}}}"
    if kind in ("sup", "sub"):
        return f"{text}{{{latex(node.args[0])}}}"
    if kind == "op":
        return {"*": r"\cdot ", "/": "/"}.get(text, text)
    if kind == "sym":
        return rf"\mathbb{{{latex(node.args[0])}}}" if node.args else _SPECIAL.get(text, f"\\{text} ")
    if kind in ("open", "close"):
        return {"|_": r"\lfloor ", "_|": r"\rfloor ", "|^": r"\lceil ", "^|": r"\rceil ", "{": "(", "}": ")"}.get(
            text, text
        )
    if kind == "bar":
        return "|"
    if kind == "group":
        return f"({latex(node.args[0])})"
    if kind == "accent":
        return rf"\{'overline' if text in ('bar', 'overline') else 'vec'}{{{latex(node.args[0])}}}"
    if kind == "pct":
        return r"\cdot\frac{1}{100}"
    if kind == "deg":
        return r"\cdot\frac{\pi}{180}"
    if kind == "rel":
        return _RELATIONS[text]
    if kind == "sep":
        return ","
    raise ValueError(f"no LaTeX for {kind}")


def _decimal(text: str) -> str:
    value = Fraction(text)
    return str(value.numerator) if value.denominator == 1 else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
