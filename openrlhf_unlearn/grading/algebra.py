r"""One expression: the number that it plainly is, or what math-verify's parser makes of it, and when two are equal.

The parser of math-verify (latex2sympy2_extended) is given LaTeX written anew from the nodes, with its own clean-up of
raw text off: that clean-up drops units, letters and words, and so takes 3t for 3. math-verify then compares. May hang
or eat memory: call it in a process that can be killed.
"""

import re
from fractions import Fraction
from functools import lru_cache

from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
from math_verify import verify
from sympy import Expr, Float, I, Pow, Rational, Symbol, UnevaluatedExpr, expand, log, simplify

from openrlhf_unlearn.grading.nodes import Node, writing_of

NOT_A_NUMBER = (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, NotImplementedError)
EXACT = 1e-12  # how far apart, relative to their size, two exact numbers may be
PLACES = 6  # decimal places from which on a decimal may stand for an irrational or repeating number
MAX_DIGITS = 4_000
_CASES_KEPT = ConversionConfig(lowercase_symbols=False)
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


# The number that a text plainly is ---------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def number(nodes: tuple[Node, ...]) -> Fraction | None:
    """An integer, decimal, fraction, mixed number or power of ten times one, with its sign; None if it is none."""
    sign = 1
    while nodes and nodes[0].kind == "op" and nodes[0].text in "+-":
        sign, nodes = (-sign if nodes[0].text == "-" else sign), nodes[1:]
    value = _unsigned(nodes)
    return None if value is None else sign * value


def _unsigned(nodes) -> Fraction | None:
    if len(nodes) == 1:
        return _single(nodes[0])
    kinds = [node.kind for node in nodes]
    if kinds == ["num", "frac"] and nodes[0].text.isdigit():
        part = _single(nodes[1])
        return int(nodes[0].text) + part if part is not None and 0 < part < 1 else None
    if kinds[-3:] == ["num", "op", "num"] and nodes[-2].text == "/":
        top = _unsigned(nodes[:-2])
        bottom = _single(nodes[-1])
        return top / bottom if len(nodes) == 3 and top is not None and bottom else None
    if len(nodes) == 4 and kinds == ["num", "op", "num", "sup"] and nodes[1].text == "*" and nodes[2].text == "10":
        factor, power = _single(nodes[0]), number(nodes[3].args[0])
        if factor is not None and power is not None and power.denominator == 1 and abs(power) < 300:
            return factor * Fraction(10) ** int(power)
    return None


def _single(node: Node) -> Fraction | None:
    if node.kind == "num":
        return Fraction(node.text) if len(node.text) < MAX_DIGITS else None
    if node.kind == "frac":
        top, bottom = (number(arg) for arg in node.args)
        return top / bottom if top is not None and bottom else None
    return None


def is_decimal(nodes) -> bool:
    return any(node.kind == "num" and "." in node.text for node in nodes)


def places(nodes) -> int:
    """Digits after the point of a plain decimal."""
    return len(next((node.text for node in nodes if node.kind == "num"), "").partition(".")[2])


# What the parser makes of an expression ----------------------------------------------------------------------------


def latex(nodes) -> str:
    return " ".join(_latex(node, i, nodes) for i, node in enumerate(nodes))


def _latex(node: Node, i: int, nodes) -> str:
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
        return rf"\{kind}{{{latex(node.args[0])}}}{{{latex(node.args[1])}}}"
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


def _degrees_bound(nodes):
    r"""The ° of \sin 20° belongs to the 20: in braces."""
    out: list[Node] = []
    for node in nodes:
        if node.kind == "deg" and out and out[-1].kind in ("num", "let"):
            per = Node("frac", "frac", ((out.pop(), Node("sym", "pi")), (Node("num", "180"),)))
            out.append(per)
        elif node.args and node.kind not in ("env", "sym"):
            out.append(Node(node.kind, node.text, tuple(tuple(_degrees_bound(arg)) for arg in node.args)))
        else:
            out.append(node)
    return out


def _fractions_bound(nodes):
    """1/2x is a half of x, 3/4π is three quarters of π: a stroke between two numbers is a fraction."""
    out: list[Node] = []
    i = 0
    while i < len(nodes):
        node = nodes[i]
        if node.args and node.kind not in ("env", "sym"):
            node = Node(node.kind, node.text, tuple(tuple(_fractions_bound(arg)) for arg in node.args))
        if (
            [n.kind for n in nodes[i : i + 3]] == ["num", "op", "num"]
            and nodes[i + 1].text == "/"
            and not (
                i + 3 < len(nodes) and nodes[i + 3].kind in ("sup",) or i + 3 < len(nodes) and nodes[i + 3].text == "!"
            )
            and not (out and out[-1].kind == "op" and out[-1].text == "/")
            and not (out and out[-1].kind == "fn")
        ):
            out.append(Node("frac", "frac", ((node,), (nodes[i + 2],))))
            i += 3
            continue
        out.append(node)
        i += 1
    return out


def _counted(nodes):
    r"""C_{10}^{3}, C(10,3) and {}_{10}C_3 as binomials."""
    kinds = [node.kind for node in nodes]
    if kinds == ["sub", "let", "sub"] and nodes[1].text == "C":
        return [Node("binom", "binom", (nodes[0].args[0], nodes[2].args[0]))]
    if kinds == ["let", "open", "num", "sep", "num", "close"] and nodes[0].text == "C":
        return [Node("binom", "binom", ((nodes[2],), (nodes[4],)))]
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
    return out


_ARGUMENT = {"num", "let", "sym", "frac", "sqrt", "sup", "sub", "accent", "binom"}


def _functions_bound(nodes):
    r"""\ln 5/\ln 3 is a quotient of logarithms: a function's argument without brackets ends at the next sign."""
    out: list[Node] = []
    i = 0
    while i < len(nodes):
        node = nodes[i]
        if node.args and node.kind not in ("env", "sym"):
            node = Node(node.kind, node.text, tuple(tuple(_functions_bound(arg)) for arg in node.args))
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
            out.append(Node("group", "group", (tuple(_functions_bound(nodes[i:end])),)))
            i = end
    return out


@lru_cache(maxsize=1024)
def expression(nodes: tuple[Node, ...]):
    """sympy's expression; None if the parser cannot read it."""
    value = number(nodes)
    if value is not None:
        return Rational(value.numerator, value.denominator)
    if any(node.kind in ("prime", "circ", "op") and node.text == "prime" for node in nodes) or _transposed(nodes):
        return None
    nodes = tuple(_functions_bound(_counted(_fractions_bound(_degrees_bound(nodes)))))
    try:
        found = latex2sympy(latex(nodes), normalization_config=None, conversion_config=_CASES_KEPT)
    except MemoryError:
        raise
    except Exception:  # the parser's own, a plain Exception
        return None
    return found


def _transposed(nodes) -> bool:
    """A^T, which the parser reads as A."""
    return any(
        node.kind == "sup" and [n.text for n in node.args[0]] in (["T"], [r"\top"], ["*"], ["+"]) for node in nodes
    )


def equal(a: tuple[Node, ...], b: tuple[Node, ...]) -> bool:
    """Whether two expressions have the same value."""
    if a == b:
        return True
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return x == y or _rounded(a, x, y) or _rounded(b, y, x)
    x, y = expression(a), expression(b)
    if x is None or y is None:
        return False
    if _rounds(a, x, y) or _rounds(b, y, x):
        return True
    return same_expressions(x, y)


def _rounded(decimal, value: Fraction, other: Fraction) -> bool:
    """0.333333 for 1/3: a decimal of at least six places, rounded or cut off, for a number that has no end."""
    if not is_decimal(decimal) or len(decimal) > 2 or _ends(other):
        return False
    return places(decimal) >= PLACES and abs(value - other) < Fraction(1, 10 ** places(decimal))


def _ends(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _rounds(decimal, value, other) -> bool:
    """The same for an irrational number."""
    if not is_decimal(decimal) or number(decimal) is None or not isinstance(other, Expr) or not other.is_number:
        return False
    if other.is_rational:
        return False
    try:
        gap = abs(value - other.doit().evalf(40))
        return places(decimal) >= PLACES and bool(gap < Rational(1, 10 ** places(decimal)))
    except NOT_A_NUMBER:
        return False


def same_expressions(x, y) -> bool:
    """math-verify's verdict, but where it compares decimal places the numbers must agree to EXACT of their size."""
    x, y = imaginary(x), imaginary(y)
    try:
        if not verify(x, y, timeout_seconds=None, float_rounding=PLACES):
            return _same_complex(x, y) or certain(_same_where_real, x, y)
    except NOT_A_NUMBER:
        return False
    return not certain(_differ, x, y)


def _same_where_real(x, y) -> bool:
    """Roots and logarithms of letters agree at every one of some points at which both are real: √(1/m) and 1/√m."""
    symbols = sorted(x.free_symbols, key=str)
    if not symbols or x.free_symbols != y.free_symbols or not (_has_root(x) or _has_root(y)) or len(symbols) > 6:
        return False
    seen = 0
    for n in range(12):
        point = {s: Rational((7 * n + 5 * i + 3) * (-1) ** (n + i * (n // 2)), 6 + i) for i, s in enumerate(symbols)}
        a, b = (e.subs(point).doit().evalf(30) for e in (x, y))
        if not (a.is_real and b.is_real):
            continue
        if abs(a - b) > EXACT * max(abs(a), abs(b)):
            return False
        seen += 1
    return seen > 2


def _has_root(x) -> bool:
    return x.has(log) or any(power.exp.is_integer is False for power in x.atoms(Pow))


def imaginary(x):
    """i as the imaginary unit, wherever it is no index."""
    i = Symbol("i")
    return x.subs(i, I) if isinstance(x, Expr) and i in x.free_symbols else x


def _same_complex(x, y) -> bool:
    if not (isinstance(x, Expr) and isinstance(y, Expr) and (x.has(I) or y.has(I))):
        return False
    return certain(lambda a, b: bool(expand((a - b).doit()) == 0 or simplify(a - b) == 0), x, y)


def certain(check, a, b) -> bool:
    """What the check says, False where sympy cannot tell."""
    try:
        return bool(check(a, b))
    except NOT_A_NUMBER:
        return False


def _differ(a, b) -> bool:
    if not all(isinstance(x, Expr) and x.is_number for x in (a, b)) or a.has(UnevaluatedExpr) and a.has(Float):
        return False
    x, y = (value.doit().evalf(30) for value in (a, b))
    return bool(abs(x - y) > EXACT * max(abs(x), abs(y)))


def is_name(nodes) -> bool:
    r"""Whether it names something: x, x_1, AB, |AB|, P(A), f'(x), \angle ABC, \sin A; not x^2, 2x or x+y."""
    nodes = tuple(nodes)
    if len(nodes) == 1 and nodes[0].kind == "frac":  # dy/dx
        return all(arg and arg[0] == Node("let", "d") for arg in nodes[0].args)
    code = "".join(map(_code, nodes))
    if _CALL.fullmatch(code) and nodes[0].text in ("P", "E", "D", "V", "N", "f", "g", "h", "F", "G", "H"):
        return True
    return bool(_NAME.fullmatch(code))


_CALL = re.compile(r"[lL]s?u?p{0,3}\([^()]{1,20}\)")
_NAME = re.compile(
    r"(?:l?c)?(?:l|L{1,2}|W)s?p{0,3}|[lL]s?u?p{0,3}\([lLi]\)|\|[alLW]{1,3}\||as?|f(?:l|\(l\))?"
    r"|W{1,5}(?:[lL]|\([lL]\))?|\([lL](?:,[lL]){1,5}\)"
)


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
        return "u" if [n.text for n in node.args[0]] == ["-", "1"] else "X"
    single = {"sub": "s", "prime": "p", "accent": "a", "fn": "f", "sep": ",", "bar": "|"}
    if node.kind in ("open", "close"):
        return node.text if node.text in "()" else "X"
    return single.get(node.kind, "X")


def names(nodes) -> set[str]:
    """The variables that occur, with their subscripts."""
    found = set()
    for i, node in enumerate(nodes):
        if node.kind == "let":
            below = nodes[i + 1] if i + 1 < len(nodes) and nodes[i + 1].kind == "sub" else None
            found.add(node.text + (writing_of(below.args[0]) if below else ""))
        for arg in node.args if node.kind not in ("sub", "accent", "sym") else ():
            found |= names(arg)
    return found


def within(nodes):
    """The nodes at every depth."""
    for node in nodes:
        yield node
        for arg in node.args if node.kind != "env" else ():
            yield from within(arg)


def unevaluated(what) -> bool:
    """Whether it is a sum, product, integral or limit that is not worked out."""
    found = within(getattr(what, "nodes", ()))
    return any(
        node.kind == "sym" and node.text in ("sum", "prod", "int") or node == Node("fn", "lim") for node in found
    )


def letters(nodes) -> set[str]:
    """The variables that occur."""
    found = set()
    for node in nodes:
        if node.kind == "let":
            found.add(node.text)
        for arg in node.args if node.kind not in ("sub", "accent", "sym") else ():
            found |= letters(arg)
    return found
