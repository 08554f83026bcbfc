import importlib.util
from pathlib import Path

import torch

from openrlhf_unlearn.grading.reward import response_of
from openrlhf_unlearn.run_dir import VERDICTS


def example():
    path = Path(__file__).parents[2] / "examples" / "reward_math.py"
    spec = importlib.util.spec_from_file_location("reward_func", path)  # as the host loads it
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.reward_func


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
