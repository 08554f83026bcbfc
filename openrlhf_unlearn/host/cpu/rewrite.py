"""The mechanical rewrite that makes OpenRLHF's code device-agnostic: a program, so that none of its text is ours.

Calls such as `torch.cuda.empty_cache()` become calls of DeepSpeed's accelerator, which on a GPU are the very same
functions of torch.cuda (tests/host/cpu/test_rewrite.py compares them) and on a CPU do what a CPU needs. Three host
functions begin with lines that do something where the accelerator is a CPU, and only there. Before the host starts
Ray, ours is started where there is no GPU.
"""

import ast
import re
from dataclasses import dataclass

_ACCELERATOR_IMPORT = "from deepspeed.accelerator import get_accelerator"
# torch.cuda's name → the accelerator's. A device is named 'cuda:0' instead of 0: the same to every torch call.
_CALLS = {
    "current_device": "current_device_name",
    "empty_cache": "empty_cache",
    "synchronize": "synchronize",
    "set_device": "set_device",
    "current_stream": "current_stream",
}
_CUDA_ONLY = ("get_physical_gpu_id",)  # functions whose callers have checked that there is a GPU

# Where a CPU needs another way: (function, the line that it begins with there).
_BRANCHES = {
    "stateless_init_process_group": (
        "from openrlhf_unlearn.host.cpu.weight_sync import cpu_group, on_cpu",
        "if on_cpu():",
        "    return cpu_group(master_address, master_port, rank, world_size)",
    ),
    "update_weight": (
        "from openrlhf_unlearn.host.cpu.weight_sync import on_cpu, receive_weight",
        "if on_cpu():",
        "    return receive_weight(self, name, dtype, shape, empty_cache)",
    ),
    # In every process that trains or takes log-probs. With a GPU it does nothing.
    "setup_distributed": ("from openrlhf_unlearn.machine.products import widen_products", "widen_products()"),
}
# Before the statement that starts Ray unless it runs: there, with a GPU or a cluster, this does nothing.
_RAY_START = "not ray.is_initialized()"
_BEFORE_RAY_START = ("from openrlhf_unlearn.host.cpu.ray_cpu import prepare_cpu", "prepare_cpu(args)")


@dataclass(frozen=True)
class Edit:
    """Replace the bytes from start to end."""

    start: int
    end: int
    text: str


def _is_torch_cuda(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "cuda"
        and isinstance(node.value, ast.Name)
        and node.value.id == "torch"
    )


class _Finder(ast.NodeVisitor):
    """Collects the edits of one module; positions are byte offsets into its UTF-8 text."""

    def __init__(self, source: bytes):
        self.edits: list[Edit] = []
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def _offset(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column

    def _replace(self, node: ast.AST, text: str) -> None:
        start = self._offset(node.lineno, node.col_offset)
        self.edits.append(Edit(start, self._offset(node.end_lineno, node.end_col_offset), text))

    def _insert(self, before: ast.stmt, lines: tuple[str, ...]) -> None:
        indent = " " * before.col_offset
        at = self._offset(before.lineno, before.col_offset)
        self.edits.append(Edit(at, at, "".join(f"{line}\n{indent}" for line in lines)))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in _CUDA_ONLY:
            return
        if node.name in _BRANCHES:
            self._insert(node.body[1 if ast.get_docstring(node) else 0], _BRANCHES[node.name])
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == _RAY_START:
            self._insert(node, _BEFORE_RAY_START)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and _is_torch_cuda(function.value) and function.attr in _CALLS:
            self._replace(function, f"get_accelerator().{_CALLS[function.attr]}")
            for child in (*node.args, *node.keywords):
                self.visit(child)
            return
        device = node.args[0] if node.args and ast.unparse(function) == "torch.device" else None
        if isinstance(device, ast.JoinedStr) and "cuda:" in ast.unparse(device):
            self._replace(device, "get_accelerator().current_device_name()")
            return
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Constant) and argument.value == "cuda":
                self._replace(argument, "get_accelerator().device_name()")
        self.generic_visit(node)


def _import_position(tree: ast.Module, source: bytes) -> int:
    """Byte offset of the first statement after docstring and __future__ imports."""
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not docstring and not future:
            line = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            return sum(len(text) for text in source.splitlines(keepends=True)[: line - 1])
    return len(source)


def _optional_flash_attn(tree: ast.Module, finder: _Finder) -> None:
    """Module-level imports of flash_attn may fail: the package needs a GPU, and only packing uses it."""
    imports = [n for n in tree.body if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("flash_attn")]
    for node in imports:
        start = finder._offset(node.lineno, 0)
        end = finder._offset(node.end_lineno, node.end_col_offset)
        names = " = ".join(alias.asname or alias.name for alias in node.names)
        finder.edits.append(Edit(start, end, f"try:\n    {ast.unparse(node)}\nexcept ImportError:\n    {names} = None"))


def rewrite(text: str) -> str:
    """The device-agnostic form of one module's text; the same text if it names no device."""
    if not re.search(r"cuda|flash_attn|ray\.is_initialized", text):
        return text
    source = text.encode()
    tree = ast.parse(source)
    finder = _Finder(source)
    finder.visit(tree)
    _optional_flash_attn(tree, finder)
    if any("get_accelerator" in edit.text for edit in finder.edits) and _ACCELERATOR_IMPORT not in text:
        at = _import_position(tree, source)
        finder.edits.append(Edit(at, at, _ACCELERATOR_IMPORT + "\n"))
    for edit in sorted(finder.edits, key=lambda edit: edit.start, reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    ast.parse(source)  # a rewrite that does not parse must never reach the disk
    return source.decode()
