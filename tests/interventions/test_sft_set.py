"""Sets for supervised fine-tuning: from an endpoint, and from an evaluation that is there."""

import shlex
from collections import Counter

import openrlhf_unlearn
from openrlhf_unlearn.cli import main
from openrlhf_unlearn.host.flags import check_launch
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from tests.interventions.runs import FRAME, GROUPS, make_run
from tests.interventions.server import Reply, Server
from tests.interventions.test_augment import original, solve


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
