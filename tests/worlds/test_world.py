"""The written world: what is in its folder, that it is made once, whole, and with the planted success rates."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import prompt_id, read_json
from openrlhf_unlearn.worlds.model import build_model, pass_rates, warm_up
from openrlhf_unlearn.worlds.task import CAUSES, SETTINGS, draw_prompts
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer
from openrlhf_unlearn.worlds.world import write_world


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds") / "world"
    write_world(folder, "steady", seed=5, warm_up_steps=3)
    return folder


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_agree_with_each_other(small_world):
    assert sorted(path.name for path in small_world.iterdir()) == [
        "heldout.jsonl",
        "heldout_truth.parquet",
        "model",
        "train.jsonl",
        "truth.parquet",
        "world.json",
    ]
    train, heldout = read_jsonl(small_world / "train.jsonl"), read_jsonl(small_world / "heldout.jsonl")
    assert all(row.keys() == {"prompt", "label", "datasource"} for row in (*train, *heldout))
    assert {row["prompt"] for row in train}.isdisjoint(row["prompt"] for row in heldout)
    for name, rows, problems in zip(
        ("truth", "heldout_truth"), (train, heldout), draw_prompts(SETTINGS["steady"], 5), strict=True
    ):
        truth = pq.read_table(small_world / f"{name}.parquet").to_pylist()
        assert truth == [
            {"prompt_id": prompt_id(row["prompt"], row["label"]), "group": problem.group, "cause": problem.cause}
            for row, problem in zip(rows, problems, strict=True)
        ]
    world = json.loads((small_world / "world.json").read_text())
    assert (world["seed"], world["setting"], world["letters"]["D"]) == (5, "steady", "learnable")
    assert list(world["initial_pass_rate_by_cause"]) == list(CAUSES)
    assert world["initial_pass_rate"]["no_reward"] == 0.0


def test_model_loads_and_stops_at_its_end_token(small_world):
    model = AutoModelForCausalLM.from_pretrained(small_world / "model")
    tokenizer = AutoTokenizer.from_pretrained(small_world / "model")
    assert (model.config.eos_token_id, model.config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.config.vocab_size == len(tokenizer)
    batch = tokenizer(["D4821=", "N1234="], return_tensors="pt")
    tokens = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=4)
    assert tokens.shape[0] == 2 and tokens.shape[1] <= 10


def test_a_finished_world_is_kept_and_another_is_refused(small_world):
    before = (small_world / "model" / "model.safetensors").stat().st_mtime_ns
    assert write_world(small_world, "steady", seed=5, warm_up_steps=3)["seed"] == 5
    assert (small_world / "model" / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="seed 5 instead of 6"):
        write_world(small_world, "steady", seed=6, warm_up_steps=3)


def test_a_folder_with_other_files_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["microworld", str(tmp_path)]) == 1
    assert "holds no world" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupted_warm_up_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("openrlhf_unlearn.worlds.model.pass_rates", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "world", "steady", warm_up_steps=1)
    assert list(tmp_path.iterdir()) == []


def test_warm_up_is_seeded_and_learns():
    setting, tokenizer = SETTINGS["standard"], build_tokenizer()
    losses = [warm_up(build_model(tokenizer, 1), tokenizer, setting, 1, set(), steps=25) for _ in range(2)]
    assert np.allclose(*losses, atol=1e-4)
    assert losses[0][-1] < 0.75 * losses[0][0]


def test_an_untrained_model_is_never_right():
    tokenizer = build_tokenizer()
    train, _ = draw_prompts(SETTINGS["standard"], 0)
    assert pass_rates(build_model(tokenizer, 0), tokenizer, train[:16], n=4, seed=0) == [0.0] * 16


@pytest.mark.slow
def test_success_at_the_start(world):
    """0.62, once in 24 for all that is hard and rewarded, and 0, with room for the seed.

    Of the world that the other tests train on.
    """
    world = read_json(world / "world.json")
    rates = world["initial_pass_rate_by_cause"]
    assert 0.45 < rates["known"] < 0.75 and 0.15 < rates["guessable"] < 0.35
    assert all(0.025 < rates[cause] < 0.055 for cause in ("learnable", "beyond", "random"))
    assert abs(world["initial_pass_rate"]["learnable"] - world["initial_pass_rate"]["unlearnable"]) < 0.012
    assert world["initial_pass_rate"]["no_reward"] < 0.002
