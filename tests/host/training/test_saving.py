"""Checkpoints through the host's own saving and rotation, without Ray: DeepSpeed's engine alone is played."""

from pathlib import Path
from types import SimpleNamespace

import deepspeed
import pytest
import torch
from openrlhf.utils.deepspeed import DeepspeedStrategy

from openrlhf_unlearn.host.training import actor as actors
from openrlhf_unlearn.host.training import trainer as trainers
from openrlhf_unlearn.host.training.generator import ResumableLoader
from openrlhf_unlearn.machine.host_functions import of_the_host
from tests.host.training.test_checkpoint import Generator


class Engine(deepspeed.DeepSpeedEngine):
    """Writes what DeepSpeed's engine writes: the client state under the tag, then `latest`."""

    def __init__(self):
        self.ranks = 1

    def __del__(self):
        pass

    def save_checkpoint(self, save_dir, tag, client_state, save_latest):
        folder = Path(save_dir) / tag
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(client_state, folder / "mp_rank_00_model_states.pt")
        (Path(save_dir) / "latest").write_text(tag)


def policy_actor(folder, max_num, rank=0):
    made = object.__new__(actors.UnlearnPolicyModelActor)
    made.strategy = object.__new__(DeepspeedStrategy)
    made.strategy.is_rank_0 = lambda: rank == 0
    made.strategy.args = SimpleNamespace(ckpt=SimpleNamespace(path=str(folder), max_num=max_num, max_mem=1000))
    made.disable_ds_ckpt, made.save_hf_ckpt = False, False
    made.actor = SimpleNamespace(model=Engine())
    return made


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setattr("openrlhf.utils.deepspeed.deepspeed.torch_dist_barrier_and_cuda_sync", lambda: None)
    monkeypatch.setattr("openrlhf.trainer.ray.ppo_actor.torch_dist_barrier_and_cuda_sync", lambda: None)


def client_states(loader, step):
    return {"episode": 0, "global_step": step, "data_loader_state_dict": loader.state_dict()}


def latest(folder):
    tag = folder / "_actor" / (folder / "_actor" / "latest").read_text()
    return torch.load(tag / "mp_rank_00_model_states.pt", weights_only=True)  # plain: no class is named in it


def test_the_hosts_rotation_keeps_and_deletes_ours_with_its_own(tmp_path):
    generator, policy = Generator(tmp_path, save_steps=1), policy_actor(tmp_path, max_num=2)
    loader = ResumableLoader(generator)
    for generator.step in range(1, 7):
        policy.save_checkpoint(f"global_step{generator.step}", client_states(loader, generator.step))
    tags = sorted(path for path in (tmp_path / "_actor").iterdir() if path.is_dir())
    assert [tag.name for tag in tags] == ["global_step5", "global_step6"]
    assert [len(list(tag.glob("state-*.npz"))) for tag in tags] == [1, 1]
    assert len(list((tmp_path / "_unlearn").iterdir())) == 1
    again = Generator(tmp_path)
    ResumableLoader(again).load_state_dict(latest(tmp_path)["data_loader_state_dict"])
    assert again.step == 6


def test_only_rank_0_puts_the_state_into_the_checkpoint(tmp_path):
    generator = Generator(tmp_path, save_steps=1)
    generator.step = 1
    states = client_states(ResumableLoader(generator), 1)
    policy_actor(tmp_path, max_num=2, rank=1).save_checkpoint("global_step1", states)
    assert not list(tmp_path.glob("_actor/*/state-*"))
    policy_actor(tmp_path, max_num=2).save_checkpoint("global_step1", states)
    assert len(list(tmp_path.glob("_actor/*/state-*"))) == 1


class Evaluated(Exception):
    pass


@pytest.mark.parametrize(
    ("made", "method", "arguments"),
    [(trainers.UnlearnPPOTrainer, "evaluate", (3,)), (trainers.UnlearnGenerateSamplesActor, "_run_eval", ())],
)
@pytest.mark.parametrize("key", ["", "none"])
def test_the_best_checkpoint_has_a_state_although_its_step_is_not_one_of_save_steps(
    tmp_path, monkeypatch, made, method, arguments, key
):
    """The host saves the best one after an evaluation, with the client state that it took of that step."""
    generator = Generator(tmp_path, save_steps=float("inf"), best_metric_key=key)
    trainer = object.__new__(made)
    trainer.args, trainer.prompts_dataloader = generator.args, ResumableLoader(generator)
    generator.step = 3
    states = client_states(trainer.prompts_dataloader, 3)

    def evaluation(self, *args, **kwargs):
        raise Evaluated

    assert method in vars(of_the_host(made))
    monkeypatch.setattr(of_the_host(made), method, evaluation)
    with pytest.raises(Evaluated):
        getattr(trainer, method)(*arguments)
    assert generator.asked == (key != "none")
    if key != "none":
        policy_actor(tmp_path, max_num=2).save_checkpoint("best_global_step3", states, 0.5, "eval_pass1")
        again = Generator(tmp_path)
        ResumableLoader(again).load_state_dict(latest(tmp_path)["data_loader_state_dict"])
        assert again.step == 3
