import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.host import launcher
from tests.integration.stack import Training, error_line, short_launches


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


def fake(folder: Path) -> Training:
    """On a model folder with configuration and tokenizer files and one row of data; nothing of it is ever loaded."""
    world = folder / "world"
    (world / "model").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (world / "model" / name).write_text("{}")
    (world / "train.jsonl").write_text(json.dumps({"prompt": "1+1=", "label": "2"}) + "\n")
    return Training(world, folder)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(exit code, output) of the launches of REFUSED and of CASES, in one process; they write nothing."""
    training, here = fake(tmp_path_factory.mktemp("launches")), tmp_path_factory.mktemp("here")

    def words(changes):
        flags = ((f"--{name}", value) for name, value in {**FLAGS, **changes}.items())
        return ["--plugin", "unlearn", "--dry_run", *(word for pair in flags for word in pair if word)]

    refused = [training.words(**flags) for _, _, flags in REFUSED]
    answers = short_launches(refused + [words(changes) for changes, _, _ in CASES], here)
    assert list(here.iterdir()) == [] and not training.run.path.exists()
    return answers


def test_a_dry_run_asks_the_hosts_own_parser_and_checks(answers):
    for (_, code, said), (found, text) in zip(CASES, answers[len(REFUSED) :], strict=True):
        assert said in text and found == code and "Traceback" not in text


def test_bad_input_is_one_line_that_names_the_culprit(answers):
    for (code, message, _), (found, text) in zip(REFUSED, answers[: len(REFUSED)], strict=True):
        assert (message in error_line(text), found) == (True, code), text
        assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.long("the same launches in one process, above")
def test_the_real_command_line_ends_with_one_line_and_the_exit_code(tmp_path):
    text = fake(tmp_path)(expect=2, unlearn__loss="no_kl")
    assert "--unlearn.loss no_kl sets --algo.kl.use_loss" in error_line(text) and "Traceback" not in text


RAY_SAYS = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: 43) was "
    "23.1GB / 23.5GB (0.98), which exceeds the memory usage threshold of 0.95; \nRefer to the documentation …"
)
DIED = (
    "The actor died unexpectedly before finishing this task. Its worker process has died. Worker exit detail: The "
    "process is killed by SIGKILL by OOM killer due to high memory usage, or ray stop --force is called, or SIGSEGV."
)


def chained(text):
    try:
        try:
            raise MemoryError
        except MemoryError as error:
            raise RuntimeError(text) from error
    except RuntimeError as error:
        return error


def errors():
    """(what a launch raises, whether it is for want of memory)"""
    import torch
    from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

    cuda = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    yield OutOfMemoryError(RAY_SAYS), True
    yield RayTaskError("fit", f"Traceback …\ntorch.OutOfMemoryError: {cuda}", cuda), True
    yield RayTaskError("fit", f"Traceback …\nray.exceptions.OutOfMemoryError: {RAY_SAYS}", OutOfMemoryError("")), True
    yield (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."),
        True,
    )
    yield chained("anything"), True
    yield RayActorError(), False
    yield RuntimeError(DIED), False  # Ray's list of guesses for every death
    yield ValueError("shapes do not match"), False


def test_out_of_memory_is_one_line_that_names_the_flags_to_lower(monkeypatch, capsys):
    for error, memory in errors():

        def launch(argv, error=error):
            raise error

        monkeypatch.setattr(launcher, "launch", launch)
        if not memory:
            with pytest.raises(type(error)):
                launcher.main([])
            continue
        assert launcher.main([]) == 1, error
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "--train.micro_batch_size and --rollout.micro_batch_size" in said


TOO_MUCH = """
import ray
from openrlhf_unlearn.host import launcher

@ray.remote
class Worker:
    def train(self):
        return bytearray(1 << 30)

def launch(argv):
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80_000_000)
    ray.get(Worker.remote().train.remote())

launcher.launch = launch
raise SystemExit(launcher.main([]))
"""


@pytest.mark.slow
def test_a_worker_that_ray_kills_for_its_memory_is_one_line():
    """Ray's own memory monitor, with a threshold that is always passed."""
    limits = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}
    done = subprocess.run([sys.executable, "-c", TOO_MUCH], env=os.environ | limits, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "openrlhf-unlearn: out of memory, and a worker was ended: lower --train.micro_batch_size" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lock_of_a_run_is_held_as_long_as_the_launch_and_no_longer(monkeypatch, tmp_path):
    from openrlhf_unlearn.host.plugin import UnlearnPlugin
    from openrlhf_unlearn.store.locks import hold

    plugin = UnlearnPlugin()
    monkeypatch.setattr(launcher, "load_plugins", lambda names: [plugin])
    found = []

    def launched(*_):
        plugin.held.enter_context(hold(tmp_path, "training"))
        found.append(is_free(tmp_path))
        raise UsageError("anything")

    monkeypatch.setattr(launcher, "_launch", launched)
    assert launcher.main(["--plugin", "unlearn"]) == 2
    assert [*found, is_free(tmp_path)] == [False, True]


def is_free(folder) -> bool:
    """Asked of another process."""
    code = "import sys; from openrlhf_unlearn.store.locks import hold\nwith hold(sys.argv[1], 'x'): pass"
    return subprocess.run([sys.executable, "-c", code, folder], capture_output=True).returncode == 0
