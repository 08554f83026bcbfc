"""Bad input on the real command line: one line that names the culprit and the mend, and the right exit code."""

import json

import pytest

from tests.integration.stack import Training, error_line, short_launches

pytestmark = pytest.mark.slow


@pytest.fixture
def fake_world(tmp_path):
    """A model folder with configuration and tokenizer files and one row of data; nothing of it is ever loaded."""
    world = tmp_path / "world"
    (world / "model").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (world / "model" / name).write_text("{}")
    (world / "train.jsonl").write_text(json.dumps({"prompt": "1+1=", "label": "2"}) + "\n")
    return world


REFUSED = [
    (2, "--algo.dynamic_filtering_enable and the plugin both filter", {"algo__dynamic_filtering_enable": True}),
    (2, "--unlearn.loss no_kl sets --algo.kl.use_loss", {"unlearn__loss": "no_kl"}),
    (2, "do not divide into --train.micro_batch_size 48", {"train__micro_batch_size": 48}),
    (1, "no such folder", {"actor__model_name_or_path": "./nowhere"}),
    (1, "data.jsonl: no such file", {"data__prompt_dataset": "nowhere/data.jsonl"}),
    (1, "has no key 'answer' (--data.label_key)", {"data__label_key": "answer"}),
    (1, "reward.py: no such file", {"reward__remote_url": "nowhere/reward.py"}),
    (1, "choose of none, dynamic", {"unlearn__filter": "dynamc"}),
]


def test_one_line_and_nothing_written(fake_world, tmp_path):
    training = Training(fake_world, tmp_path)
    answers = short_launches([training.words(**flags) for _, _, flags in REFUSED])
    for (code, message, _), (found, text) in zip(REFUSED, answers, strict=True):
        assert (message in error_line(text), found) == (True, code), text
        assert "Traceback" not in text
    assert not training.run.path.exists()


def test_the_real_command_line_ends_with_one_line_and_the_exit_code(fake_world, tmp_path):
    text = Training(fake_world, tmp_path)(expect=2, unlearn__loss="no_kl")
    assert "--unlearn.loss no_kl sets --algo.kl.use_loss" in error_line(text) and "Traceback" not in text
