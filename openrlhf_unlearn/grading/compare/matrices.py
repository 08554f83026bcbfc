"""Matrices, determinants, vectors in i, j, k, and functions by cases: values in a grid."""

from collections.abc import Sequence

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import Expression, sympy
from openrlhf_unlearn.grading.classify.shapes import Cases, Determinant, Matrix, Quantity, Row, Same, Shape
from openrlhf_unlearn.grading.compare.rows import in_order


def matrices(a: Shape, b: Shape, rule: Same) -> str | None:
    """Cell by cell, whatever the brackets; a column or row for a vector."""
    if isinstance(a, Row) and isinstance(b, Matrix):
        a = _of_rows(a) or a
    if isinstance(b, Row) and isinstance(a, Matrix):
        b = _of_rows(b) or b
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        return "matrix" if _same_matrix(a, b, rule) else None
    if isinstance(a, Matrix) and isinstance(b, Row):
        return "matrix" if (line := _line(a, b)) and in_order(line, b.items, rule) else None
    if isinstance(a, Row) and isinstance(b, Matrix):
        return "matrix" if (line := _line(b, a)) and in_order(a.items, line, rule) else None
    return None


def _of_rows(row: Row) -> Matrix | None:
    """[[1,2],[3,4]] of plain text."""
    rows = [item.items for item in row.items if isinstance(item, Row) and item.brackets == "[]"]
    return Matrix(tuple(rows)) if row.brackets == "[]" and len(rows) == len(row.items) else None


def _same_matrix(a: Matrix, b: Matrix, rule: Same) -> bool:
    if [len(row) for row in a.rows] != [len(row) for row in b.rows]:
        return False
    cells, others = ([cell for row in matrix.rows for cell in row] for matrix in (a, b))
    if not a.factor and not b.factor:
        return in_order(cells, others, rule)
    values, other_values = map(_expressions, (cells, others))
    factors = [algebra.expression(matrix.factor) if matrix.factor else sympy.Integer(1) for matrix in (a, b)]
    if not all(isinstance(value, sympy.Expr) for value in (*factors, *values, *other_values)):
        return False
    return all(
        algebra.same_expressions(factors[0] * x, factors[1] * y) for x, y in zip(values, other_values, strict=True)
    )


def _line(matrix: Matrix, row: Row) -> Sequence[Shape] | None:
    """The cells of a matrix of one row or column that may be a vector's."""
    if matrix.factor or row.brackets != "()":
        return None
    if all(len(cells) == 1 for cells in matrix.rows):
        return [cells[0] for cells in matrix.rows]
    return matrix.rows[0] if len(matrix.rows) == 1 else None


def _expressions(cells: Sequence[Shape]) -> list[Expression]:
    return [algebra.expression(cell.nodes) if isinstance(cell, Quantity) else None for cell in cells]


def determinant(a: Shape, b: Shape, rule: Same) -> str | None:
    """A determinant for its value, and the other way round."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Determinant) and isinstance(other, Quantity):
            cells, wanted = list(map(_expressions, one.rows)), algebra.expression(other.nodes)
            if len(cells) > 6 or not all(isinstance(cell, sympy.Expr) for row in (*cells, [wanted]) for cell in row):
                return None
            return "determinant" if algebra.same_expressions(sympy.ImmutableMatrix(cells).det(), wanted) else None
    return None


def vector(a: Shape, b: Shape, rule: Same) -> str | None:
    """2i + 3j for (2,3)."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Quantity) and isinstance(other, Row) and (parts := _components(one)):
            numbers = _expressions(other.items)
            alike = len(parts) == len(numbers) and all(number is not None for number in numbers)
            return "tuple" if alike and all(map(algebra.same_expressions, parts, numbers)) else None
    return None


def _components(what: Quantity) -> list[Expression] | None:
    """The coefficients of i, j (and k) of a vector 2i + 3j; None if it is none."""
    vectors = [sympy.Symbol(f"vec{{{name}}}") for name in "ijk"]
    found: Expression = algebra.expression(what.nodes) if any(n.kind == "accent" for n in what.nodes) else None
    if not isinstance(found, sympy.Expr) or not found.free_symbols & set(vectors):
        return None
    found = found.expand()
    parts = [found.coeff(vector) for vector in vectors]
    if (found - sum(part * vector for part, vector in zip(parts, vectors, strict=True))).expand() != 0:
        return None
    return parts if parts[2] != 0 else parts[:2]


def cases(a: Shape, b: Shape, rule: Same) -> str | None:
    """Each value with its condition, in any order."""
    if not (isinstance(a, Cases) and isinstance(b, Cases)) or len(a.rows) != len(b.rows):
        return None
    return "cases" if all(any(in_order(row, other, rule) for other in b.rows) for row in a.rows) else None
