"""Sets for supervised fine-tuning: from an endpoint, and from an evaluation that is there."""

import json
import shlex
from collections import Counter

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.cli import main
from openrlhf_unlearn.host.flags import check_launch
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import write_json
from tests.interventions.runs import FRAME, GROUPS, make_run, nested_run
from tests.interventions.server import Reply, Server
from tests.interventions.test_augment import original, solve
from tests.tables import of_dicts


def sft_set(run, out, *more: str) -> int:
    return main(["sft-set", "--run", str(run), "--output", str(out), "--question-key", "question", *more])


def endpoint(server: Server) -> list[str]:
    return ["--model", "strong", "--base-url", server.url, "--max-answer-tokens", "99"]


def test_right_responses_by_group_and_a_launch_that_the_host_accepts(tmp_path, capsys):
    def weak(request: dict, n: int) -> Reply:
        a, _ = original(request)
        if a % 8 == 0:
            return Reply(r"\boxed{1}")  # never right
        tries = sum(original(r) == original(request) for r in server.requests)
        return solve(request, n) if tries > 1 else Reply("I do not know.")

    run, out = make_run(tmp_path, 40), tmp_path / "sft.jsonl"
    with Server(weak) as server:
        wanted = ["--unlearnable", "3", "--learnable", "2", "--easy", "4"]
        assert sft_set(run, out, *wanted, *endpoint(server)) == 0
        asked = len(server.requests)
        assert sft_set(run, out, *wanted, *endpoint(server)) == 0
        assert len(server.requests) == asked
    rows = read_jsonl(out)
    assert Counter(row["group"] for row in rows) == {"unlearnable": 3, "learnable": 2, "easy": 4}
    for row in rows:
        number = int(row["prompt"].split()[3])
        assert row["prompt"] == FRAME.format(f"What is {number} + {2 * number + 1}?")
        assert rf"\boxed{{{3 * number + 1}}}" in row["response"] and row["group"] == GROUPS[number % 4]
    told = capsys.readouterr().out
    assert "3 of 3 unlearnable, 2 of 2 learnable, 4 of 4 easy" in told
    launch = shlex.split(told.strip().splitlines()[-1])
    args = check_launch("train_sft", launch[3:])
    assert (args.data.input_key, args.data.output_key, args.data.dataset) == ("prompt", "response", str(out))
    assert args.data.input_template == "{}"  # no template, as RL had none; train_sft's own default is one


def test_responses_of_an_evaluation_need_no_endpoint(tmp_path):
    run, out = make_run(tmp_path, 12), tmp_path / "sft.jsonl"
    made = openrlhf_unlearn.sft_set(str(run), out, easy=1, from_run=str(run), from_tag="final")
    assert made.output == out and made.prompts == {"unlearnable": 3, "learnable": 3, "easy": 1}
    rows = read_jsonl(out)
    assert Counter(row["group"] for row in rows) == {"unlearnable": 3, "learnable": 3, "easy": 1}
    assert all(row["response"].startswith("Summing 0") for row in rows)


def test_a_model_that_is_never_right_is_said_in_a_line(tmp_path, capsys):
    run, out = make_run(tmp_path, 8), tmp_path / "sft.jsonl"
    with Server(lambda request, n: Reply("no idea, I am afraid")) as server:
        assert sft_set(run, out, "--attempts", "2", *endpoint(server)) == 1
    assert "no prompt has a right response" in capsys.readouterr().err and not out.exists()
    assert len(server.requests) == 12


def evaluated(run, names, reward=1.0):
    row = {"sample": 0, "response": "yes", "reward": reward, "verdict": "correct" if reward else "wrong", "n_tokens": 1}
    of_dicts(Evaluations, [{"prompt_id": name, **row} for name in names]).write(run, "other")
    return ["--from-run", str(run), "--from-tag", "other"]


def test_nested_keys_are_columns_and_images_are_refused(tmp_path, capsys):
    run, rows = nested_run(tmp_path / "text", images=False)
    words = evaluated(run, Prompts.ids(run).to_pylist())
    assert sft_set(run, tmp_path / "sft.jsonl", *words) == 0
    made = read_jsonl(tmp_path / "sft.jsonl")
    assert {row["extra.prompt"] for row in made} == {row["extra"]["prompt"] for i, row in enumerate(rows) if i % 4 < 3}
    run, _ = nested_run(tmp_path / "shown", images=True)
    words = evaluated(run, Prompts.ids(run).to_pylist())
    assert sft_set(run, tmp_path / "shown.jsonl", *words) == 1 and not (tmp_path / "shown.jsonl").exists()
    assert "9 of 9 prompts have images (column 'images')" in capsys.readouterr().err


def test_the_command_of_a_run_without_a_model_has_a_placeholder(tmp_path, capsys):
    run = make_run(tmp_path)
    config = json.loads(run.run_json.read_text())
    write_json(run.run_json, {name: value for name, value in config.items() if name != "model"})
    assert sft_set(run, tmp_path / "sft.jsonl", "--from-run", str(run)) == 0
    assert "--model.model_name_or_path MODEL " in capsys.readouterr().out


@pytest.mark.parametrize(
    "names, reward, says",
    [
        (lambda ids: ["x"], 1.0, "no prompt in common with the unlearnable, learnable, easy prompts of"),
        (lambda ids: ids, 0.0, "no prompt has a right response; give another --from-run or --from-tag than"),
    ],
)
def test_why_an_evaluation_gives_no_response_is_said(tmp_path, capsys, names, reward, says):
    run = make_run(tmp_path)
    words = evaluated(run, names(Prompts.ids(run).to_pylist()), reward)
    assert sft_set(run, tmp_path / "sft.jsonl", *words) == 1
    said = capsys.readouterr().err
    assert says in said and "attempts" not in said


def test_a_run_without_groups_is_told_to_be_classified(tmp_path, capsys):
    run = make_run(tmp_path)
    run.learnability.unlink()
    assert sft_set(run, tmp_path / "sft.jsonl", "--from-run", str(run)) == 1
    assert f"{run} is not classified: openrlhf-unlearn classify {run}" in capsys.readouterr().err
