"""The computer algebra: sympy, and math-verify with its parser. They have no types, so that their objects are Any."""

import importlib
from typing import Any, TypeAlias

Expression: TypeAlias = Any
sympy: Any = importlib.import_module("sympy")
verify: Any = importlib.import_module("math_verify").verify
_parser: Any = importlib.import_module("latex2sympy2_extended.latex2sympy2")
latex2sympy, conversion = _parser.latex2sympy, _parser.ConversionConfig
NOT_A_NUMBER = (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, NotImplementedError)
