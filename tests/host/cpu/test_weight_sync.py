"""The policy's weights reach vLLM: the group alone, then vLLM's CPU engine with the host's own worker extension."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from openrlhf_unlearn.host.cpu.weight_sync import cpu_group
from openrlhf_unlearn.machine.ray_settings import ONE_PROCESS, environment


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        return sock.getsockname()[1]


def test_a_group_broadcasts_every_kind_of_tensor_from_any_rank():
    port = free_port()
    sent = [torch.randn(3, 5), torch.randn(7).bfloat16(), torch.arange(4), torch.randn(2, 0)]

    def member(rank):
        group = cpu_group("127.0.0.1", port, rank, 2)
        received = []
        for i, tensor in enumerate(sent):
            mine = tensor.clone() if rank == i % 2 else torch.zeros_like(tensor)
            group.broadcast(mine, src=i % 2, stream=None)
            received.append(mine)
        return received

    with ThreadPoolExecutor(2) as pool:
        for received in pool.map(member, range(2)):
            assert all(torch.equal(got, tensor) for got, tensor in zip(received, sent, strict=True))


class Engine:
    """vLLM's CPU engine as OpenRLHF makes it, and the policy's side of a sync."""

    def __init__(self, model):
        from vllm import LLM

        self.llm = LLM(
            str(model),
            distributed_executor_backend=ONE_PROCESS,
            enforce_eager=True,
            dtype="bfloat16",
            max_model_len=64,
            worker_extension_cls="openrlhf.trainer.ray.vllm_worker_wrap.WorkerWrap",
        )
        self.pool = ThreadPoolExecutor(1)

    def join(self):
        port = free_port()
        engine = self.pool.submit(
            self.llm.collective_rpc, "init_process_group", args=("127.0.0.1", port, 1, 2, "test", "gloo", False)
        )
        self.group = cpu_group("127.0.0.1", port, 0, 2)
        engine.result()

    def sync(self, model):
        """As ActorPPOTrainer.broadcast_to_vllm: one tensor after the other, the last one marked."""
        parameters = list(model.named_parameters())
        for i, (name, parameter) in enumerate(parameters, 1):
            done = self.pool.submit(
                self.llm.collective_rpc,
                "update_weight",
                args=(name, parameter.dtype, tuple(parameter.shape), i == len(parameters)),
            )
            self.group.broadcast(parameter.data, src=0)
            done.result()

    def log_probs(self):
        """Of each token of one text given those before it: (tokens - 1,)."""
        from vllm import SamplingParams, TokensPrompt

        tokens = list(range(1, 40, 3))
        sampling = SamplingParams(max_tokens=1, prompt_logprobs=0)
        found = self.llm.generate(TokensPrompt(prompt_token_ids=tokens), sampling, use_tqdm=False)[0].prompt_logprobs
        return [entry[token].logprob for entry, token in zip(found[1:], tokens[1:], strict=True)]


@pytest.mark.slow
@pytest.mark.long("test_replay.py compares the engines' log-probs with the trainer's after each step")
def test_after_each_sync_vllm_computes_as_if_loaded_with_the_policys_weights(tmp_path, monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("on a GPU the host's own way is taken")
    from transformers import AutoModelForCausalLM

    from tests.integration.tiny import byte_level_model

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    # The host passes torch.dtype to its workers, from inside a Ray actor's process.
    monkeypatch.setenv("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")
    first = byte_level_model(tmp_path / "first")
    policy = AutoModelForCausalLM.from_pretrained(first, dtype=torch.bfloat16)
    torch.manual_seed(1)
    for parameter in policy.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    policy.save_pretrained(tmp_path / "second")
    (tmp_path / "second" / "tokenizer.json").write_bytes((first / "tokenizer.json").read_bytes())
    (tmp_path / "second" / "tokenizer_config.json").write_bytes((first / "tokenizer_config.json").read_bytes())

    engine = Engine(first)
    before = engine.log_probs()
    engine.join()
    engine.sync(policy)
    after = engine.log_probs()
    engine.sync(AutoModelForCausalLM.from_pretrained(first, dtype=torch.bfloat16))
    assert engine.log_probs() == before
    fresh = Engine(tmp_path / "second").log_probs()
    assert after == fresh
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 0.5
