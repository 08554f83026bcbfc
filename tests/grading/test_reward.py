import asyncio
import subprocess
import sys
from pathlib import Path

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor

from openrlhf_unlearn import reward_math
from openrlhf_unlearn.grading.data_check import uses_our_grader
from openrlhf_unlearn.grading.reward import FORMAT_VARIABLE, response_of
from openrlhf_unlearn.host.plugin import reward_file
from openrlhf_unlearn.store.run_dir import VERDICTS

EXAMPLE = Path(__file__).parents[2] / "examples" / "reward_math.py"
FILES = (EXAMPLE, reward_math.__file__)


def example():
    return SingleTurnAgentExecutor(str(EXAMPLE)).reward_func  # loaded by the host itself


def test_the_example_and_the_module_hand_out_the_same_function_and_are_known_as_ours():
    assert [SingleTurnAgentExecutor(str(path)).reward_func for path in FILES] == [reward_math.reward_func] * 2
    assert all(uses_our_grader(str(path)) for path in FILES)


def test_the_modules_name_is_a_reward_file():
    """With the plugin; without it the module prints its path for the host."""
    name = reward_math.__name__
    assert Path(reward_file(name)).samefile(reward_math.__file__)
    for other in ("mine.py", "http://host/reward", None):
        assert reward_file(other) == other
    printed = subprocess.run([sys.executable, "-m", name], capture_output=True, text=True).stdout
    assert Path(printed.strip()).samefile(reward_math.__file__)


def test_the_host_calls_it_in_threads_without_the_plugin(monkeypatch):
    """Many at once, one of them a power tower, as `--reward.remote_url` alone makes them."""
    monkeypatch.delenv(FORMAT_VARIABLE, raising=False)
    executor = SingleTurnAgentExecutor(str(EXAMPLE))
    answers = [r"\boxed{\frac24}", r"\boxed{9^{9^{9^9}}}", r"\boxed{\frac13}", "I do not know"]
    queries = ["1/2=" + answer for answer in answers]
    results = asyncio.run(executor._fetch_rewards_via_func(queries, ["1/2="] * 4, ["1/2"] * 4))
    assert [float(result["rewards"]) for result in results] == [1.0, 0.0, 0.0, 0.0]
    shown = ["verdict_correct", "verdict_timeout", "verdict_wrong", "verdict_no_answer"]
    assert [float(result["extra_logs"][name]) for result, name in zip(results, shown, strict=True)] == [1.0] * 4


def test_the_example_returns_the_hosts_form():
    queries = [r"C48213=#1\boxed{12}<eos>", r"C48213=#1", r"C48213=\boxed{\frac12}<eos>"]
    result = example()(queries=queries, prompts=["C48213="] * 3, labels=["12", "12", "0.5"])
    assert torch.equal(result["rewards"], torch.tensor([1.0, 0.0, 1.0]))
    assert torch.equal(result["scores"], result["rewards"])
    numbers = result["extra_logs"]["unlearn_verdict"]
    assert result["extra_logs"]["verdict_no_answer"].tolist() == [0.0, 1.0, 0.0]  # metrics where there is no plugin
    assert [VERDICTS[int(number)] for number in numbers] == ["correct", "no_answer", "correct"]


def test_only_the_response_is_graded():
    prompt = r"Put the answer into \boxed{}. For example \boxed{7}. What is 3+4?"
    assert response_of(prompt + " It is 7.", prompt) == " It is 7."
    assert response_of("<s>" + prompt + " It is 7.", prompt) == " It is 7."
    assert response_of(prompt[30:] + " It is 7.", prompt) == " It is 7."  # a prompt cut off at its start
    result = example()([prompt + " Let me think about"], [prompt], ["7"])
    assert VERDICTS[int(result["extra_logs"]["unlearn_verdict"][0])] == "no_answer"


def test_a_missing_label_is_a_bad_label():
    result = example()([r"\boxed{7}"], [""], [None])
    assert VERDICTS[int(result["extra_logs"]["unlearn_verdict"][0])] == "bad_label"
