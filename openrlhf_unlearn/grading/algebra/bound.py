"""What belongs together, made explicit before the parser sees it: degrees, fractions, binomials, arguments."""

from collections.abc import Callable

from openrlhf_unlearn.grading.algebra.numbers import number
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes


def _inside(node: Node, bound: Callable[[Nodes], Nodes]) -> Node:
    """The node with its arguments bound in the same way, but for those of environments and symbols."""
    if not node.args or node.kind in ("env", "sym"):
        return node
    return Node(node.kind, node.text, tuple(map(bound, node.args)))


def degrees_bound(nodes: Nodes) -> Nodes:
    r"""The ° of \sin 20° belongs to the 20: in braces."""
    out: list[Node] = []
    for node in nodes:
        if node.kind == "deg" and out and out[-1].kind in ("num", "let"):
            per = Node("frac", "frac", ((out.pop(), Node("sym", "pi")), (Node("num", "180"),)))
            out.append(per)
        else:
            out.append(_inside(node, degrees_bound))
    return tuple(out)


_PI = Node("sym", "pi")


def fractions_bound(nodes: Nodes) -> Nodes:
    """1/2x is a half of x, √3/2 i half of √3 i: a stroke between numbers, roots or π and a number is a fraction."""
    out: list[Node] = []
    i = 0
    while i < len(nodes):
        node = _inside(nodes[i], fractions_bound)
        if (
            [n.kind for n in nodes[i + 1 : i + 3]] == ["op", "num"]
            and (node.kind in ("num", "sqrt") or node == _PI)
            and nodes[i + 1].text == "/"
            and not any(n.kind == "sup" or n.text == "!" for n in nodes[i + 3 : i + 4])
            and not (out and out[-1].kind == "op" and out[-1].text == "/")
            and not (out and out[-1].kind == "fn")
        ):
            out.append(Node("frac", "frac", ((node,), (nodes[i + 2],))))
            i += 3
            continue
        out.append(node)
        i += 1
    return tuple(out)


def counted(nodes: Nodes) -> Nodes:
    r"""C_{10}^{3}, C(10,3) and {}_{10}C_3 as binomials."""
    kinds = [node.kind for node in nodes]
    if kinds == ["sub", "let", "sub"] and nodes[1].text == "C":
        return (Node("binom", "binom", (nodes[0].args[0], nodes[2].args[0])),)
    if kinds == ["let", "open", "num", "sep", "num", "close"] and nodes[0].text == "C":
        return (Node("binom", "binom", ((nodes[2],), (nodes[4],))),)
    out: list[Node] = []
    for node in nodes:
        if (
            node.kind in ("sup", "sub")
            and len(out) > 1
            and out[-1].kind in ("sup", "sub")
            and out[-1].kind != node.kind
            and out[-2] == Node("let", "C")
            and all(number(arg) is not None for arg in (out[-1].args[0], node.args[0]))
        ):
            below, above = (out[-1], node) if out[-1].kind == "sub" else (node, out[-1])
            out[-2:] = [Node("binom", "binom", (below.args[0], above.args[0]))]
        else:
            out.append(node)
    return tuple(out)


_ARGUMENT = {"num", "let", "sym", "frac", "sqrt", "sup", "sub", "accent", "binom"}


def functions_bound(nodes: Nodes) -> Nodes:
    r"""\ln 5/\ln 3 is a quotient of logarithms: a function's argument without brackets ends at the next sign."""
    out: list[Node] = []
    i = 0
    while i < len(nodes):
        node = _inside(nodes[i], functions_bound)
        out.append(node)
        i += 1
        if node.kind != "fn":
            continue
        while i < len(nodes) and nodes[i].kind in ("sup", "sub"):
            out.append(nodes[i])
            i += 1
        end = i
        while end < len(nodes) and nodes[end].kind in _ARGUMENT:
            end += 1
        if (
            end > i
            and not (end < len(nodes) and nodes[end].kind in ("open", "bar"))
            and node.text not in ("lim", "min", "max")
        ):
            out.append(Node("group", "group", (functions_bound(nodes[i:end]),)))
            i = end
    return tuple(out)
