"""The rewrite on small texts and on the host's own files; what a GPU sees of it is in test_gpu_unchanged.py."""

import ast

import pytest

from openrlhf_unlearn.host.cpu.rewrite import _CALLS, rewrite
from openrlhf_unlearn.host.patching import Patch


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.cuda.empty_cache()", "get_accelerator().empty_cache()"),
        ("x.to(torch.cuda.current_device())", "x.to(get_accelerator().current_device_name())"),
        ("torch.cuda.set_device(rank)", "get_accelerator().set_device(rank)"),
        ("b(w, stream=torch.cuda.current_stream())", "b(w, stream=get_accelerator().current_stream())"),
        (
            'torch.device(f"cuda:{torch.cuda.current_device()}")',
            "torch.device(get_accelerator().current_device_name())",
        ),
        ('torch.empty(3, device="cuda")', "torch.empty(3, device=get_accelerator().device_name())"),
        ('mesh("cuda", (1, 2))', "mesh(get_accelerator().device_name(), (1, 2))"),
    ],
)
def test_device_calls_ask_the_accelerator(before, after):
    assert rewrite(before + "\n") == f"from deepspeed.accelerator import get_accelerator\n{after}\n"


@pytest.mark.parametrize("text", ["x = 1\n", "torch.cuda.is_available()\n", '"""cuda"""\n', 'd = {"cuda": 1}\n'])
def test_what_names_no_device_call_stays(text):
    assert rewrite(text) == text


def test_the_import_follows_docstring_and_future():
    text = '"""Doc ü."""\nfrom __future__ import annotations\nimport torch\ntorch.cuda.synchronize()\n'
    lines = rewrite(text).splitlines()
    assert lines[2] == "from deepspeed.accelerator import get_accelerator"
    assert lines[4] == "get_accelerator().synchronize()"


def test_flash_attn_becomes_optional():
    changed = rewrite("from flash_attn.ops import a, b as c\n")
    names = {}
    exec(changed, names)
    assert "a" in names and "c" in names


def test_a_function_keeps_its_docstring():
    changed = rewrite('def stateless_init_process_group(a):\n    """Doc."""\n    return torch.cuda.current_device()\n')
    function = ast.parse(changed).body[-1]
    assert ast.get_docstring(function) == "Doc."
    assert ast.unparse(function.body[2].test) == "on_cpu()"


def test_ray_is_prepared_before_the_host_starts_it():
    text = "def train(args):\n    # if not yet\n    if not ray.is_initialized():\n        ray.init()\n"
    body = ast.parse(rewrite(text)).body[0].body
    assert [ast.unparse(node).split("\n")[0] for node in body] == [
        "from openrlhf_unlearn.host.cpu.ray_cpu import prepare_cpu",
        "prepare_cpu(args)",
        "if not ray.is_initialized():",
    ]


def test_only_the_cpu_takes_our_branch_of_the_weight_sync():
    changed = rewrite('def update_weight(self, name, dtype, shape, empty_cache=False):\n    return f(device="cuda")\n')
    function = ast.parse(changed).body[-1]
    assert ast.unparse(function.body[1].test) == "on_cpu()"
    assert "device_name()" in ast.unparse(function.body[-1])  # what a GPU runs is still the host's


def test_no_rewritten_host_file_names_cuda_calls_any_more():
    for name, data in Patch().planned().items():
        tree = ast.parse(data)
        cuda_only = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "get_physical_gpu_id"]
        for function in cuda_only:
            function.body = [ast.Pass()]
        left = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Call)]
        assert not [call for call in left if call.startswith(tuple(f"torch.cuda.{c}(" for c in _CALLS))], name
