import json
import re
import subprocess
import sys

import pytest

from openrlhf_unlearn import launcher
from openrlhf_unlearn.errors import UsageError


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
DRY_RUNS = """
import json, sys
from openrlhf_unlearn import launcher
sys.stderr = sys.stdout
for words in json.load(sys.stdin):
    try:
        code = launcher.main(words)
    except SystemExit as stopped:
        code = stopped.code
    print(f"=== {code}", flush=True)
"""


def test_a_dry_run_asks_the_hosts_own_parser_and_checks_and_writes_nothing(tmp_path):
    """All in one process of its own, since the launcher replaces the host's parts."""

    def words(changes):
        flags = ((f"--{name}", value) for name, value in {**FLAGS, **changes}.items())
        return ["--plugin", "unlearn", "--dry_run", *(word for pair in flags for word in pair if word)]

    given = json.dumps([words(changes) for changes, _, _ in CASES])
    done = subprocess.run(
        [sys.executable, "-c", DRY_RUNS], input=given, capture_output=True, text=True, cwd=tmp_path, check=True
    )
    answers = re.split(r"^=== (\d+)\n", done.stdout, flags=re.MULTILINE)
    for (_, code, said), text, found in zip(CASES, answers[::2], answers[1::2], strict=False):
        assert said in text and int(found) == code and "Traceback" not in text
    assert len(answers) == 2 * len(CASES) + 1 and list(tmp_path.iterdir()) == []
