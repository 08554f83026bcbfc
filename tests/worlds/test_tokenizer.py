"""The tokenizer keeps every text as it is, before and after it is saved and loaded the way the host loads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, Qwen2Config

from openrlhf_unlearn.worlds.task import full_answer, make_problem
from openrlhf_unlearn.worlds.tokenizer import VOCABULARY, build_tokenizer

texts = st.lists(st.sampled_from([token for token in VOCABULARY if not token.startswith("<")])).map("".join)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer().save_pretrained(folder)
    Qwen2Config().save_pretrained(folder)  # AutoTokenizer must not turn it into Qwen2's own tokenizer
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=True, use_fast=True)


@given(texts)
def test_round_trip(tokenizer, text):
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(tokens, skip_special_tokens=False) == text
    assert "".join(tokenizer.decode([token]) for token in tokens) == text  # as vLLM streams it
    assert tokens == tokenizer(text, add_special_tokens=True)["input_ids"]  # no <bos>, ever


def test_tokens_of_a_text(tokenizer):
    problem = make_problem("D", (4, 8, 2, 1), 0)
    text = problem.prompt + (answer := full_answer(problem))
    assert tokenizer.tokenize(text) == [*text.partition("\\")[0], "\\boxed{", *problem.label, "}", "<eos>"]
    assert len(tokenizer.tokenize(answer)) == 15


def test_ids_are_the_positions_in_the_vocabulary(tokenizer):
    assert tokenizer.get_vocab() == {token: i for i, token in enumerate(VOCABULARY)}
    assert len(tokenizer) == len(VOCABULARY) == 42
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, None)


def test_unknown_characters_vanish(tokenizer):
    assert tokenizer("a\n+é")["input_ids"] == []
    assert tokenizer("C4 8213=")["input_ids"] == tokenizer("C48213=")["input_ids"]
