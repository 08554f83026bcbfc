"""The generator against the host's real data set, executor, experiences and penalties; no Ray, a simulated engine."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from openrlhf.datasets.utils import blending_datasets
from openrlhf.trainer.ppo_utils.experience import Experience, make_experience_batch, split_experience_batch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

from openrlhf_unlearn.collect import collector
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.marks import marked_ids, marked_positive
from openrlhf_unlearn.host.training.prompts import prompt_rows
from openrlhf_unlearn.store.run_dir import prompt_id, read_table
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts
from tests.host.training.host import GENERATE, build_tokenizer, flags, generator, prompt_dataset

REWARD = """
import numpy, torch

def reward_func(queries, prompts, labels):
    right = [float(query.endswith(label)) for query, label in zip(queries, labels)]
    return {result}
"""
TRUE_OR_FALSE = "torch.tensor(right)"


def reward_file(tmp_path, rewards, scores=None, logs="{}"):
    path = tmp_path / "reward.py"
    parts = [f"'rewards': {rewards}", f"'extra_logs': {logs}", *([f"'scores': {scores}"] if scores else [])]
    path.write_text(REWARD.replace("{result}", "{" + ", ".join(parts) + "}"))
    return path


def rows(*tenths, copies=1):
    """Prompts that the engine answers rightly with these probabilities, in tenths."""
    return [{"prompt": f"{p}A{i}=", "label": "1"} for i in range(copies) for p in tenths]


def collect(made):
    """Every batch until the last episode is over, as the host's trainer asks for them."""
    batches = []
    for _ in range(made.args.train.num_episodes):
        while True:
            batch, _, _, over = made.generate_samples(**GENERATE)
            if batch:
                batches.append(batch)
            if over:
                break
    return batches


def table(made, processed=False):
    return [row for row in Rewards.read(made.run).arrow.to_pylist() if row["processed"] == processed]


SHAPES = [
    "right[0]",
    "right",
    "[right]",
    "int(right[0])",
    "torch.tensor(right)",
    "torch.tensor(right[0])",
    "torch.tensor([right])",
    "[torch.tensor(right[0])]",
    "numpy.array(right)",
    "numpy.float32(right[0])",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_rewards_in_every_shape_that_the_host_takes(tmp_path, shape):
    reward = reward_file(tmp_path, shape, scores=shape, logs=f"{{'length': {shape}, 'note': 'text', 'none': None}}")
    made = generator(rows("5", copies=12), tmp_path / "run", reward, rollout__batch_size=4)
    batches = collect(made)
    assert batches and all(len(batch) == 16 for batch in batches)
    assert {row["reason"] for row in table(made)} <= {"accepted", "zero_variance"}
    # The host batches and splits them as it does on their way to the loss.
    whole = Experience.concat_experiences(batches[0], 0)
    assert whole.rewards.shape == whole.scores.shape == whole.info["length"].shape == (16,)
    assert "note" not in whole.info
    again = make_experience_batch(split_experience_batch(whole))
    assert marked_ids(again.info) == marked_ids(whole.info)
    assert marked_positive(again.info) == [reward > 0.5 for reward in whole.rewards.tolist()]


class Server(BaseHTTPRequestHandler):
    """A reward server in the format of `openrlhf.cli.serve_rm`: lists, and scores that are the rewards."""

    def do_POST(self):
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        rewards = [float(query.endswith("1")) for query in queries]
        answer = {"rewards": rewards, "scores": rewards, "extra_logs": {"dummy_scores": rewards}}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args):
        pass


def test_rewards_of_a_server_in_the_hosts_own_format(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        made = generator(rows("5", copies=8), tmp_path / "run", f"http://127.0.0.1:{server.server_port}/get_reward")
        batches = collect(made)
    finally:
        server.shutdown()
    assert batches and batches[0][0].info["dummy_scores"].shape == (1,)
    assert {row["n_positive"] for row in table(made, processed=True)} <= {1, 2, 3}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("[1.0, 0.0]", "gave as reward 2 numbers for one rollout"),
        ("[]", "gave as reward 0 numbers"),
        ("'1'", "gave as reward '1', which is no number"),
        ("float('nan')", "gave reward nan"),
        ("None", "gave no reward"),
        ("1 / 0", "the reward function failed: ZeroDivisionError"),
    ],
)
def test_what_is_no_reward_is_one_line_that_names_the_prompt(tmp_path, shape, message):
    made = generator(rows("5"), tmp_path / "run", reward_file(tmp_path, shape))
    with pytest.raises(UserError, match=message) as error:
        collect(made)
    assert "5A0=" in str(error.value) and "\n" not in str(error.value)


def test_evaluation_with_a_reward_function_that_raises_is_one_line_too(tmp_path):
    """The host's evaluation makes experiences by the same method, for which the reward is checked."""
    made = generator(rows("5"), tmp_path / "run", reward_file(tmp_path, "1 / 0"))
    (response,) = [{"prompt": "5A0=", "reward": None, "extra_logs": {"unlearn_error": "KeyError: 'x'"}}]
    with pytest.raises(UserError, match="the reward function failed: KeyError: 'x'"):
        made._process_response_into_experience(response, **GENERATE)


def test_with_scores_an_all_wrong_group_is_rejected_whatever_its_shaped_rewards(tmp_path):
    """Rewards that shrink with length differ within any group; right and wrong are what the scores say."""
    shaped = "[r - 0.01 * __import__('random').random() for r in right]"
    data = rows("0", "5", "A", copies=8)
    made = generator(data, tmp_path / "run", reward_file(tmp_path, shaped, scores=TRUE_OR_FALSE))
    collect(made)
    for row in table(made):
        assert row["accepted"] == (0 < row["n_positive"] < 4)
        assert row["std_reward"] > 0  # by rewards alone all would have been accepted
    assert {row["n_positive"] for row in table(made)} >= {0, 4}
    assert all(row["mean_reward"] != row["pass_rate"] for row in table(made)), "the reward stays what trains"
    saved = TrainingRollouts.read(made.run).arrow.to_pylist()
    assert all(row["positive"] == (row["verdict"] == "correct") for row in saved)


def test_rewards_of_plus_and_minus_one_count_as_pass_rates(tmp_path):
    made = generator(rows("5", copies=12), tmp_path / "run", reward_file(tmp_path, "[2 * r - 1 for r in right]"))
    batches = collect(made)
    for row in table(made):
        assert row["pass_rate"] == row["n_positive"] / row["n"] == (row["mean_reward"] + 1) / 2
    curves = made.tracker.curve_of
    first = {row["prompt_id"]: row["pass_rate"] for row in reversed(table(made))}
    assert all((curves[name] == "easy") == (rate >= 0.1) for name, rate in first.items())
    assert {e.rewards.item() for batch in batches for e in batch} == {1.0, -1.0}


def test_positive_is_above_the_runs_threshold(tmp_path):
    reward = reward_file(tmp_path, "[0.1 + 0.2 * r for r in right]")
    for above, expected in ((0.5, {0}), (0.2, {0, 1, 2, 3, 4})):
        made = generator(rows("5", copies=24), tmp_path / str(above), reward, unlearn__positive_above=above)
        collect(made)
        assert {row["n_positive"] for row in table(made)} <= expected
        assert sum(row["n_positive"] for row in table(made)) == sum(row["n"] * row["pass_rate"] for row in table(made))


def test_the_spans_of_the_batches_are_one_line_from_none_to_all_of_the_prompts(tmp_path):
    """Prompts that were consumed at the end of an episode that gave no batch belong to the next one."""
    reward = reward_file(tmp_path, TRUE_OR_FALSE)
    made = generator(rows("2", copies=31), tmp_path / "run", reward, train__num_episodes=3)
    spans = [batch.span for batch in collect(made)]
    assert spans[0][0] == 0 and len(spans) > 3
    assert all(before[1] == after[0] < after[1] for before, after in zip(spans, spans[1:], strict=False))
    assert spans[-1][1] <= 1


@pytest.mark.parametrize("ahead", [1, 3, 4, 6, 9])
def test_any_number_of_prompts_sampled_ahead_fills_whole_batches(tmp_path, ahead):
    """With fewer than a batch the generator gave empty batches without end."""
    reward = reward_file(tmp_path, TRUE_OR_FALSE)
    made = generator(
        rows("5", copies=30), tmp_path / "run", reward, rollout__vllm_generate_batch_size=ahead, unlearn__filter="none"
    )
    batches = collect(made)
    assert [len(batch) for batch in batches] == [16] * 7
    assert sorted(Counter(row["prompt_id"] for row in table(made)).values()) == [1] * 30


def test_rows_with_other_images_are_other_prompts_all_the_way_to_the_batch(tmp_path):
    for name, content in (("a.png", b"one"), ("b.png", b"two"), ("copy of a.png", b"one")):
        (tmp_path / name).write_bytes(content)
    data = [{"prompt": "5A=", "label": "1", "images": [str(tmp_path / n)]} for n in ("a.png", "b.png", "copy of a.png")]
    made = generator(data * 8, tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE), unlearn__filter="none")
    batches = collect(made)
    known = read_table(made.run.prompts)["prompt_id"].to_pylist()
    assert len(known) == 2
    assert {name for batch in batches for e in batch for name in marked_ids(e.info)} == set(known)
    visits = Counter(row["prompt_id"] for row in table(made))
    assert visits == {known[0]: 16, known[1]: 8}, "an episode visits every row"


def test_data_sets_keep_the_weights_of_prompt_probs(tmp_path):
    """The host interleaves data sets by repeating rows of the smaller one; an episode visits each of them."""
    for name, n in (("small", 3), ("large", 20)):
        lines = [json.dumps({"prompt": f"5A{name[0].upper()}{i}=", "label": "1"}) for i in range(n)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    paths = f"{tmp_path}/small.jsonl,{tmp_path}/large.jsonl"
    quiet = SimpleNamespace(args=SimpleNamespace(use_ms=False), print=lambda *_: None, is_rank_0=lambda: False)
    mixed = list(blending_datasets(paths, "0.5,0.5", quiet, seed=1))
    made = generator(mixed, tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE), unlearn__filter="none")
    collect(made)
    visits = Counter(row["prompt_id"] for row in table(made))
    assert visits == Counter(prompt_id(row["prompt"], row["label"]) for row in mixed)
    assert max(visits.values()) > 3 and len(visits) == 23


def test_a_run_that_solves_everything_ends_and_one_in_which_nothing_passes_fails(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(collector.logger, "info", said.append)
    reward = reward_file(tmp_path, TRUE_OR_FALSE)
    learning = generator(
        rows("5", copies=90), tmp_path / "a", reward, train__num_episodes=3, unlearn__max_filtered_batches=8
    )
    learning.engine.learning = 100
    batches = collect(learning)
    assert len(batches) >= 3 and learning.stream.progress == 1
    assert "Nothing left to learn: of the last 32 visits none trained, in 32 every rollout was right" in " ".join(said)
    assert len(table(learning)) < 90, "it ended in the first episode"
    assert collect(learning) == [], "the trainer may open the episodes that were planned"
    solved = generator(rows("A", copies=40), tmp_path / "b", reward, unlearn__max_filtered_batches=3)
    assert collect(solved) == [] and solved.stream.exhausted
    for limit in (3, 20):  # before and at the end of the data
        never = generator(rows("0", copies=40), tmp_path / f"c{limit}", reward, unlearn__max_filtered_batches=limit)
        with pytest.raises(UserError, match=r"no group passed --unlearn.filter dynamic in (12|40) visits in a row"):
            collect(never)


def test_the_tail_of_training_is_whole_optimiser_steps(tmp_path):
    reward = reward_file(tmp_path, TRUE_OR_FALSE)
    made = generator(rows("5", copies=7), tmp_path / "run", reward, train__batch_size=8, unlearn__filter="none")
    assert [len(batch) for batch in collect(made)] == [16, 8]


def test_only_what_trains_or_is_kept_is_made_into_the_hosts_rollouts(tmp_path, monkeypatch):
    """Of 16 that are sampled of each prompt 4 train; the positives beyond that may be kept for replay."""
    converted = []
    stock = SamplesGenerator._process_response_into_experience

    def counted(self, response, **kwargs):
        converted.append(response)
        return stock(self, response, **kwargs)

    monkeypatch.setattr(SamplesGenerator, "_process_response_into_experience", counted)
    reward = reward_file(tmp_path, "[float(queries[0].endswith('1'))]")
    made = generator(rows(3, copies=8), tmp_path / "run", reward, unlearn__filter="oversample_replay")
    batch, *_ = made.generate_samples(**GENERATE)
    sampled = sum(row["n"] for row in table(made))
    assert len(batch) == 16 and sampled >= 64
    assert len(converted) <= 16 + len(made.filter.buffer) < sampled / 2
    assert len({id(response) for response in converted}) == len(converted), "none is made twice"


def test_the_hosts_data_set_gives_ids_that_text_prompts_always_had(tmp_path):
    data = prompt_dataset([{"prompt": "5A=", "label": "1"}], flags(tmp_path), build_tokenizer())
    assert [p.id for p in prompt_rows(data)] == [prompt_id("5A=", "1")]


KEEPS_THREE = """
from openrlhf_unlearn.filters import Decision, SampleFilter

class KeepsThree(SampleFilter):
    def decide(self, group):
        return Decision(True, "accepted", group.rollouts[:3])
"""


def test_a_filter_that_keeps_another_number_than_k_ends_the_run_before_anything_trains(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(KEEPS_THREE)
    reward = reward_file(tmp_path, TRUE_OR_FALSE)
    made = generator(rows("5", copies=4), tmp_path / "run", reward, unlearn__filter=f"{mine}:KeepsThree")
    with pytest.raises(UserError, match=r"mine.py:KeepsThree kept 3 rollouts of prompt \w+; .* exactly k = 4"):
        collect(made)
    assert made.buffer == []
