"""Positions that a file gives as an expression of others, such as ``a / (x + b)`` of HyperSpy's functional axes."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tan": np.tan}
_LONGEST = 1000


def evaluated(expression: str, values: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return the value of an arithmetic expression of named numbers and arrays; nothing else in it is run.

    Raises
    ------
    ValueError
        If it is anything but sums, products, powers and a few functions of these names, or gives no finite numbers.
    """
    known = {name: np.asarray(value, np.float64) for name, value in values.items()}

    def of(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return _OPERATIONS[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return np.float64(node.value)
        if isinstance(node, ast.Name) and node.id in known:
            return known[node.id]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and len(node.args) == 1:
            return _FUNCTIONS[node.func.id](of(node.args[0]))
        raise ValueError(f"a part of it, {ast.unparse(node)[:40]!r}, is not known here")

    if len(expression) > _LONGEST:
        raise ValueError(f"its positions are given as an expression of {len(expression):,} characters; {_LONGEST:,} are read at most")
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(of(ast.parse(expression.strip(), mode="eval").body), np.float64)
    except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as error:
        reason = error if isinstance(error, ValueError) else "it is no expression"
        raise ValueError(f"its positions are given as {expression[:80]!r}, which is not read: {reason}") from error
    if not np.isfinite(found).all():
        raise ValueError(f"its positions are given as {expression[:80]!r}, which is not a number everywhere")
    return found
