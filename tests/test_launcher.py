import pytest

from openrlhf_unlearn import launcher
from openrlhf_unlearn.errors import UsageError
from tests.integration.stack import short_launches


def test_plugin_names_are_taken_and_the_rest_is_the_hosts():
    words = ["--plugin", "unlearn", "--a.b", "1", "--plugin=other", "--flag"]
    own, rest = launcher.split_arguments(words)
    assert (own.plugin, own.dry_run, rest) == (["unlearn", "other"], False, ["--a.b", "1", "--flag"])


def test_an_unknown_plugin_lists_the_known_ones(capsys):
    with pytest.raises(UsageError, match="--plugin nope: no such plugin; installed: .*unlearn"):
        launcher.load_plugins(["nope"])
    assert launcher.main(["--plugin", "nope"]) == 2
    assert capsys.readouterr().err == "openrlhf-unlearn: --plugin nope: no such plugin; installed: unlearn\n"


def test_a_plugin_named_twice_is_loaded_once():
    assert len(launcher.load_plugins(["unlearn", "unlearn"])) == 1


FLAGS = {
    "actor.model_name_or_path": "some/model",
    "data.prompt_dataset": "some/data",
    "reward.remote_url": "reward.py",
    "rollout.n_samples_per_prompt": "8",
    "algo.advantage.estimator": "group_norm",
    "vllm.num_engines": "1",
    "unlearn.loss": "clip_higher",
}


CASES = [
    ({"help": None}, 0, "--rollout.n_samples_per_prompt"),
    ({"help": None}, 0, "--unlearn.filter"),
    ({}, 0, "OpenRLHF and the plugins accept these flags:\npython -m openrlhf.cli.train_ppo --plugin unlearn"),
    ({"no.such_flag": "1"}, 2, "unrecognized arguments: --no.such_flag 1"),
    ({"rollout.micro_batch_size": "7"}, 2, "rollouts a rollout batch do not divide into"),
    ({"unlearn.loss": "no_kl", "algo.kl.init_coef": "0.1"}, 2, "openrlhf-unlearn: --unlearn.loss no_kl sets"),
    (
        {"train.partial_rollout_enable": None},
        2,
        "openrlhf-unlearn: OpenRLHF refuses these flags: --train.partial_rollout_enable requires",
    ),
]


def test_a_dry_run_asks_the_hosts_own_parser_and_checks_and_writes_nothing(tmp_path):
    def words(changes):
        flags = ((f"--{name}", value) for name, value in {**FLAGS, **changes}.items())
        return ["--plugin", "unlearn", "--dry_run", *(word for pair in flags for word in pair if word)]

    answers = short_launches([words(changes) for changes, _, _ in CASES], tmp_path)
    for (_, code, said), (found, text) in zip(CASES, answers, strict=True):
        assert said in text and found == code and "Traceback" not in text
    assert list(tmp_path.iterdir()) == []
