"""A run's filter, made again from the rollouts that the run saved: what one that was never killed would hold."""

import torch

from openrlhf_unlearn.collect.prompts import Prompt
from openrlhf_unlearn.filters import FilterConfig, Group, Rollout, load_filter
from openrlhf_unlearn.host.training.packing import unpack
from openrlhf_unlearn.host.training.state import read_state
from openrlhf_unlearn.store.training import TrainingRollouts


def saved_state(training, step):
    """The generator's state beside OpenRLHF's checkpoint of the step."""
    (file,) = (training.folder / "checkpoints" / "_actor" / f"global_step{step}").glob("state-*.npz")
    return read_state(file)[0]


def checkpoint_state(tag):
    """Step and state of OpenRLHF's checkpoint in this folder, as a resume from it would find them."""
    (file,) = tag.glob("*mp_rank_00_model_states.pt")
    host = torch.load(file, weights_only=False)
    name = host["data_loader_state_dict"]["unlearn"]["file"]
    (path, *_) = [*tag.parent.glob(f"*/{name}"), *(tag.parent.parent / "_unlearn").glob(name)]
    return host["global_step"], read_state(path)[0]


def resumed_state(training):
    """Step and state of the checkpoint that a resume would load; (0, None) before the first."""
    saved = training.folder / "checkpoints" / "_actor"
    latest = saved / "latest"
    return checkpoint_state(saved / latest.read_text().strip()) if latest.exists() else (0, None)


def check_checkpoints(training, regular: int):
    """So many, and the best one, which is of any step and in the asynchronous trainer behind the generator: each with
    the state of its step, and no other."""
    tags = [path for path in (training.folder / "checkpoints" / "_actor").iterdir() if path.is_dir()]
    assert sorted(path.name.startswith("best_") for path in tags) == [False] * regular + [True]
    for tag in tags:
        step, state = checkpoint_state(tag)
        assert step == state["step"] >= 1
        assert len(list(tag.glob("state-*.npz"))) == 1


def never_killed(training, last_step, config: FilterConfig, name="oversample_replay"):
    """The filter's state after the tracked visits, and the accepted groups as (prompt_id, replayed) in order.

    Made again from the saved rollouts; asserts each of its decisions.
    """
    filter = load_filter(name, config)
    texts = {}
    for row in TrainingRollouts.read(training.run).arrow.to_pylist():
        texts.setdefault((row["step"], row["prompt_id"]), []).append(Rollout(row["reward"], row["response"]))
    accepted = []
    for row in training.rows(processed=False):
        if row["step"] > last_step:
            break
        visits = texts[row["step"], row["prompt_id"]]  # two, if an episode ended within the step
        rollouts = tuple(visits.pop(0) for _ in range(row["n"]))
        decision = filter.decide(Group(row["prompt_id"], rollouts))
        assert (decision.accepted, decision.reason) == (row["accepted"], row["reason"])
        if decision.accepted:
            accepted.append((row["prompt_id"], decision.n_replayed))
    return filter.state_dict(), accepted


def stored(state, text_of):
    """What a replay buffer's state holds: prompt_id → [(response, age, uses)]."""
    entries = state["buffer"]["stored"].items()
    return {name: [(text_of(rollout.payload), age, uses) for rollout, age, uses in kept] for name, kept in entries}


def text_of(packed, tokenizer) -> str:
    """The response of a packed rollout, as the run saved it."""
    rollout = unpack(packed, Prompt("", "", "", ""))
    return tokenizer.decode(rollout.sequences[0, 1:][rollout.action_mask[0].bool()], skip_special_tokens=False)
