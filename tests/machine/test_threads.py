"""Threads of a CPU run: by the model's size, by what computes at once, by the user."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.host.cpu.ray_cpu import at_once, environment
from openrlhf_unlearn.machine.threads import SMALL, choose_threads, n_parameters, threads_for
from tests.integration.tiny import byte_level_model


@pytest.mark.parametrize(
    ("parameters", "cores", "together", "threads"),
    [
        (450_000, 64, 1, 1),  # the built-in world
        (SMALL - 1, 64, 1, 1),
        (SMALL, 64, 1, 64),
        (135_000_000, 2, 1, 2),
        (135_000_000, 8, 2, 4),
        (135_000_000, 2, 4, 1),  # never none
        (None, 4, 1, 4),  # a size that cannot be told is no toy's
    ],
)
def test_threads_by_size(parameters, cores, together, threads):
    assert threads_for(parameters, cores, together) == threads


@given(st.integers(SMALL, 10**11), st.integers(1, 256), st.integers(1, 64))
def test_a_language_model_never_takes_more_than_there_are_unless_there_are_fewer_than_processes(size, cores, together):
    threads = threads_for(size, cores, together)
    assert threads == 1 or threads * together <= cores


def training(ranks, engines, asynchronous):
    return SimpleNamespace(
        actor=SimpleNamespace(num_nodes=1, num_gpus_per_node=ranks),
        vllm=SimpleNamespace(num_engines=engines, tensor_parallel_size=1),
        train=SimpleNamespace(async_enable=asynchronous),
    )


def test_trainer_and_engines_take_turns_unless_asynchronous():
    assert at_once(training(2, 3, False)) == 3
    assert at_once(training(2, 3, True)) == 5


def test_parameters_are_counted_without_weights(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    folder = byte_level_model(tmp_path / "m")
    counted = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(folder).parameters())
    (folder / "model.safetensors").unlink()
    assert n_parameters(str(folder)) == counted
    assert n_parameters(str(tmp_path / "none")) is None


def test_counting_runs_no_code_of_the_models_unless_asked(tmp_path):
    pytest.importorskip("torch")
    folder = tmp_path / "m"
    folder.mkdir()
    auto = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert n_parameters(str(folder)) is None and not (tmp_path / "ran").exists()
    assert n_parameters(str(folder), trust_remote_code=True) is None and (tmp_path / "ran").exists()


def test_the_choice_is_printed_and_the_users_own_wins(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    model = str(byte_level_model(tmp_path / "m"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose_threads(model) == 1
    assert "CPU threads a process: 1 (0.0" in capsys.readouterr().out
    monkeypatch.setenv("OMP_NUM_THREADS", environment(3)["OMP_NUM_THREADS"])  # as an engine does for its process
    assert choose_threads(model) == 1, "of another model before is no choice of the user's"
    assert "(0.0" in capsys.readouterr().out
    assert environment(1)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert choose_threads(model) == 5
    assert "CPU threads a process: 5 (OMP_NUM_THREADS)" in capsys.readouterr().out
    assert environment(3)["OMP_NUM_THREADS"] == "5"
