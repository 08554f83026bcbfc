"""Matrices, determinants, systems and functions by cases: LaTeX's environments."""

from openrlhf_unlearn.grading.classify.shapes import Cases, Determinant, Many, Matrix, Of, Shape
from openrlhf_unlearn.grading.classify.trim import trimmed
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

_TRANSPOSED = (["T"], ["top"], ["t"])
_MATRICES = ("pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array")


def environment(found: Nodes, of: Of) -> Shape | None:
    found = _in_brackets(found)
    if found[0] == Node("open", "{") and len(found) == 2 and found[1].kind == "env":  # \left\{…\right.
        return _system(found[1], of)
    env, factor = (found[-2], found[:-2]) if transposed(found) else (found[-1], found[:-1])
    if env.kind != "env":
        return None
    if factor == (Node("op", "-"),):
        factor = (*factor, Node("num", "1"))
    if transposed(found):
        return _transposed(env, factor, of)
    if env.text in ("cases", "rcases", "dcases", "aligned", "align", "gathered", "split"):
        return None if factor else _system(env, of)
    rows = tuple(tuple(of(trimmed(cell)) for cell in row) for row in env.args)
    if env.text in ("vmatrix", "Vmatrix"):
        return Determinant(rows) if not factor and all(len(row) == len(rows) for row in rows) else None
    return Matrix(rows, factor)


def _in_brackets(found: Nodes) -> Nodes:
    """The grid that brackets stand around, else all."""
    if len(found) != 3 or (found[0].kind, found[1].kind, found[2].kind) != ("open", "env", "close"):
        return found
    return found[1:2] if found[1].text in ("array", "matrix", "smallmatrix") else found


def transposed(found: Nodes) -> bool:
    return len(found) > 1 and found[-1].kind == "sup" and [node.text for node in found[-1].args[0]] in _TRANSPOSED


def _transposed(env: Node, factor: Nodes, of: Of) -> Matrix | None:
    if env.text not in _MATRICES or len({len(row) for row in env.args}) != 1:
        return None
    return Matrix(tuple(tuple(map(of, column)) for column in zip(*env.args, strict=True)), factor)


def _system(env: Node, of: Of) -> Shape | None:
    rows: list[tuple[Nodes, ...]] = [tuple(cell for cell in row if cell) for row in env.args]
    rows = _continued([row for row in rows if row])
    conditional = [row for row in rows if len(row) == 2 and not _related(*row)]
    if conditional and len(conditional) == len(rows):
        return Cases(tuple((of(trimmed(value)), of(_condition(condition))) for value, condition in rows))
    items = tuple(of(trimmed(tuple(node for cell in row for node in cell))) for row in rows)
    return Many(items, "system") if len(items) > 1 else items[0] if items else None


def _related(value: Nodes, condition: Nodes) -> bool:
    """x & = 1 is an equation, and no value with its condition."""
    return condition[0].kind == "rel" or any(node.kind == "rel" for node in value)


def _continued(rows: list[tuple[Nodes, ...]]) -> list[tuple[Nodes, ...]]:
    """A row that begins with a sign goes on with the row before it: x &= 3+4 \\\\ &= 7."""
    joined: list[tuple[Nodes, ...]] = []
    for row in rows:
        if joined and row[0][0].kind == "rel":
            joined[-1] += row
        else:
            joined.append(row)
    return joined


def _condition(found: Nodes) -> Nodes:
    """Without "if" or "for"."""
    found = trimmed(found)
    said = found[0].text.casefold() if found and found[0].kind == "word" else ""
    return found[1:] if said in ("if", "for", "when") and len(found) > 1 else found
