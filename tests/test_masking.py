"""What is a secret and what is none: by name, by place, by value."""

import json
import pickle
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.masking import MASK, hide, is_secret, mask_text, mask_values, masked, remember, remember_all

SECRET = "S3cr3tValue99"
KEYS = (  # put together here, so that no scanner of sources takes them for real ones
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 9,
    "glpat-" + "a1B2" * 5,
    "xoxb-" + "123456-" * 3,
    "AIza" + "a1B2-" * 7,
    "AKIA" + "A1B2" * 4,
)


SECRETS = """logger.wandb.key --logger.wandb.key key --hf.token api_key OPENAI_API_KEY WANDB_API_KEY HF_TOKEN
    Authorization AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN GIT_PASSWORD db.password --reward.api-key
    accessToken authToken secretKey openAIKey APIkey HF_TOKENS api_keys OPENAI_API_KEY_2 WANDB_KEY2 passwords DB_PASS
    MYSQL_PWD PGPASSWORD X-Amz-Signature X-Amz-Credential sig client_secret AWS_CREDENTIALS"""
NONE = """--data.input_key data.label_key input_key label_key --question-key image_key data.output_key max_new_tokens
    ckpt.best_metric_key --api-key-env check_api_key_env tokenizer n_tokens eos_token --tokens-per-minute monkey PWD
    is_correction_level prompt_id SSH_AUTH_SOCK OLDPWD OLD_PWD max_tokens prompt_tokens sort_keys inputKey eosToken
    pass n_pass eval_pass1 pass_2 KeyError TokenError keys compass design"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["", *NONE.split()])
def test_names_of_what_is_no_secret(name):
    assert not is_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        f"python -m openrlhf.cli.train_ppo --logger.wandb.key {SECRET} --data.input_key prompt",
        f"x --logger.wandb.key={SECRET} --data.input_key prompt",
        f"x --logger.wandb.key '{SECRET} and more' --data.input_key prompt",
        f"https://user:{SECRET}@host/v1: refused",
        f"https://{SECRET}@host/v1",
        f"https://host/v1?api_key={SECRET}&q=prompt",
        f"Authorization: Bearer {SECRET}",
        f"{{'api_key': '{SECRET}', 'input_key': 'prompt'}}",
        f'{{"token": "{SECRET}"}}',
        f"['--logger.wandb.key', '{SECRET}', '--data.input_key', 'prompt']",
        f"WANDB_API_KEY={SECRET} python -m x",
        f"curl -H 'X-Api-Key: {SECRET}' https://host/prompt",
        f"headers: X-Api-Key: {SECRET}\nprompt: 1",
        f"Authorization: token {SECRET}",
        f"api_key: {SECRET}, model: prompt",
        f"password: '{SECRET} and more'",
        f"https://host/a.parquet?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}&q=prompt",
        f"https://host/a.parquet?se=2030&sig={SECRET}",
        "Incorrect API key provided: sk-abcdefghijklmnop1234",
        "hf_abcdefghijklmnop1234 is not valid",
        *(f"{key} is not valid" for key in KEYS),
    ],
)
def test_texts_with_a_secret(text):
    shown = mask_text(text)
    for secret in (SECRET, "sk-abc", "hf_abc", *KEYS):
        assert secret not in shown
    assert MASK in shown
    assert shown.count("prompt") == text.count("prompt")


@pytest.mark.parametrize(
    "text",
    [
        "python -m openrlhf.cli.train_ppo --data.input_key prompt --data.label_key label --ckpt.best_metric_key pass",
        "--hub.token, or another --model",
        "row 1 has no key 'prompt'; it has 'token', 'key', 'question'",
        "Basic arithmetic, and the bearer of news",
        "somebody@example.com",
        "hf://datasets/org/name@main",
        "openrlhf-unlearn evaluate --model runs/a@b --api-key-env MY_VARIABLE",
        "run.json names no input_key: give --input-key",
        "the key of the data: prompt=question,label=answer",
        "no key: prompt; label_key: answer; a token: 12; --wandb-key: no such flag; KeyError: 'prompt'",
        "eval_pass1=0.5, max_tokens=4096, prompt_tokens: 12, /a/b",
        "ghp_short, xoxb-1 and AKIA of ASIAN cities in https://host/AIza",
    ],
)
def test_texts_without_one_stay_as_they_are(text):
    assert mask_text(text) == text


def test_values_given_in_the_environment_and_in_urls_are_masked_anywhere(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_API_KEY", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pr0xyPassw0rd@proxy:8080")
    monkeypatch.setenv("SERVICE", "https://host/v1?api_key=qu3ryValue&q=prompt")
    monkeypatch.setenv("ENDS_TOKEN", "carr1age\r")
    # The third: what Basic makes of it.
    for secret in (SECRET, "pr0xyPassw0rd", "bWU6cHIweHlQYXNzdzByZA==", "qu3ryValue", "carr1age"):
        assert mask_values(f"it said {secret}!") == f"it said {MASK}!"


def test_a_value_whose_name_says_nothing_can_be_told(monkeypatch):
    monkeypatch.setattr("openrlhf_unlearn.masking._remembered", set())
    remember("unlikely-to-be-guessed")
    remember("none")  # what servers without keys are given: no secret
    assert mask_text("unlikely-to-be-guessed, none") == f"{MASK}, none"


def test_secrets_of_what_is_sent_can_be_told_by_their_places(monkeypatch):
    monkeypatch.setattr("openrlhf_unlearn.masking._remembered", set())
    remember_all(["http://me:passw0rd@x/v1", {"seed": 12345678, "headers": [{"Authorization": "Bearer alphabetic"}]}])
    assert mask_values("passw0rd, alphabetic, 12345678") == "***, ***, 12345678"


def test_nested_values_and_commands_as_words():
    value = {
        "args": {"logger": {"wandb": {"key": SECRET, "project": "p"}}, "data": {"input_key": "prompt"}},
        "words": ["train", "--logger.wandb.key", SECRET, "--train.seed", "1"],
        "tokens": 17,
        "token": None,
    }
    shown = masked(value)
    assert SECRET not in json.dumps(shown)
    assert shown["args"]["data"] == value["args"]["data"]
    assert shown["args"]["logger"]["wandb"] == {"key": MASK, "project": "p"}
    assert shown["words"] == ["train", "--logger.wandb.key", MASK, "--train.seed", "1"]
    assert shown["tokens"] == 17
    assert shown["token"] is None


SAFE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=30).filter(
    lambda text: not text.startswith("-")
)


@given(SAFE)
def test_a_quoted_word_after_its_flag_is_masked_whatever_it_is(secret):
    text = shlex.join(["train", "--logger.wandb.key", secret, "--data.input_key", "prompt"])
    assert shlex.split(mask_text(text)) == ["train", "--logger.wandb.key", MASK, "--data.input_key", "prompt"]


@given(st.recursive(st.none() | st.integers() | SAFE, lambda inner: st.lists(inner) | st.dictionaries(SAFE, inner)))
def test_masking_twice_is_masking_once(value):
    assert masked(masked(value)) == masked(value)


@pytest.mark.parametrize(
    "text",
    ["x" * 10**6 + "=1", "-" * 10**5 + " 1", "a-" * 10**5, "a_" * 10**5 + ":", "a-b " * 10**5, "'" * 10**5 + "="],
)
def test_a_long_word_takes_no_longer_than_its_length_asks(text):
    """The square of it was minutes for one long response: this test then does not end."""
    assert mask_text(text) == text


def test_a_configuration_is_printed_without_its_secrets_and_they_still_work():
    from types import SimpleNamespace

    wandb = SimpleNamespace(key="0123456789abcdef", project="p")
    args = SimpleNamespace(wandb=wandb, url="https://me:pass1word@x.invalid/", data=SimpleNamespace(input_key="prompt"))
    hide(args)
    assert "0123456789abcdef" not in repr(args) and "pass1word" not in repr(args)
    assert "project='p'" in repr(args) and "input_key='prompt'" in repr(args)
    assert args.wandb.key == "0123456789abcdef" and args.url.startswith("https://me:")
    assert pickle.loads(pickle.dumps(args.wandb.key)) == args.wandb.key
