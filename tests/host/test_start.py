"""What makes a run this run: identity, resume, and what a launch finds in its directory."""

import json
import subprocess
import sys

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.identity import BEFORE_TRAINING, IDENTITY, whole_path
from openrlhf_unlearn.host.start import choose_run_dir, start_run
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.training import Clipping, Rewards
from tests.host.training.host import namespace


def arguments(folder, **changes):
    """The flags that matter, all of the identity's and some more; `changes` name them with `__` for the dot."""
    flags = {flag: f"value of {flag}" for flag in IDENTITY}
    flags |= {
        "reward.remote_url": str(folder / "reward.py"),
        "train.agent_func_path": None,
        "train.seed": 1,
        "train.num_episodes": 2,
        "ckpt.path": str(folder / "checkpoints"),
        "ckpt.output_dir": str(folder / "model"),
        "ckpt.save_steps": 20,
        "ckpt.load_enable": False,
        "unlearn.run_dir": str(folder / "run"),
        "unlearn.positive_above": 0.5,
    }
    flags |= {name.replace("__", "."): value for name, value in changes.items()}
    tree = {}
    for flag, value in flags.items():
        *parents, leaf = flag.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return namespace(tree)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "reward.py").write_text("def reward_func(queries, prompts, labels): ...\n")
    return tmp_path


def launch(folder, **changes):
    args = arguments(folder, **changes)
    run = choose_run_dir(args)
    start_run(args, ["train"], run)
    return run, args


def trained(folder, steps, **changes):
    """A run that ended after so many steps."""
    run, args = launch(folder, **changes)
    for step in range(1, steps + 1):
        for kind in (Rewards, Clipping):
            kind.of_rows([]).write(run, step)
    return run, args


def checkpoint(folder, name="checkpoints"):
    (folder / name / "_actor").mkdir(parents=True)
    (folder / name / "_actor" / "latest").write_text("global_step20")


def test_a_run_says_who_it_is_and_what_positive_means(folder):
    run, args = launch(folder)
    known = run.config().values
    assert known["run_id"] == args.unlearn.run_id == known["args"]["unlearn"]["run_id"]
    assert known["positive"] == {"by": "scores", "else_by": "reward", "threshold": 0.5}
    other, _ = launch(folder, unlearn__run_dir=str(folder / "other"))
    assert other.config().values["run_id"] != known["run_id"]


def test_a_resume_keeps_the_id_and_the_date(folder):
    run, _ = trained(folder, 25)
    before = run.config().values
    checkpoint(folder)
    launch(folder, ckpt__load_enable=True, train__num_episodes=3)
    assert {**run.config().values, "started": 0, "args": 0} == {**before, "started": 0, "args": 0}


@pytest.mark.parametrize("flag", IDENTITY)
def test_each_flag_of_the_identity_makes_another_run(folder, flag):
    run, _ = trained(folder, 1)
    checkpoint(folder)
    with pytest.raises(UserError, match=f"belongs to another configuration: --{flag} was .*choose another"):
        launch(folder, ckpt__load_enable=True, **{flag.replace(".", "__"): 7})
    assert run.steps() == [1]


def test_another_reward_function_is_another_run_and_a_moved_one_is_not(folder):
    trained(folder, 1)
    checkpoint(folder)
    (folder / "moved.py").write_bytes((folder / "reward.py").read_bytes())
    launch(folder, ckpt__load_enable=True, reward__remote_url=str(folder / "moved.py"))
    (folder / "reward.py").write_text("def reward_func(queries, prompts, labels): return 1\n")
    with pytest.raises(UserError, match="the file of the reward function has changed"):
        launch(folder, ckpt__load_enable=True)


def test_a_reward_server_may_move(folder):
    trained(folder, 1, reward__remote_url="http://node1:5000/get_reward")
    checkpoint(folder)
    launch(folder, ckpt__load_enable=True, reward__remote_url="http://node2:5001/get_reward")


def test_a_launch_that_wrote_no_step_does_not_block_the_corrected_one(folder, capsys):
    run, first = launch(folder, train__seed=1)
    _, second = launch(folder, train__seed=2)
    assert "wrote no step, and its run.json is replaced" in capsys.readouterr().out
    assert run.config().values["seed"] == 2 and first.unlearn.run_id != second.unlearn.run_id


@pytest.mark.parametrize("flag", BEFORE_TRAINING)
def test_evaluations_before_training_are_of_one_model_and_its_prompts(folder, flag):
    run, _ = launch(folder)
    run.evaluation("initial").parent.mkdir()
    run.evaluation("initial").touch()
    with pytest.raises(UserError, match=f"belongs to another configuration: --{flag} was"):
        launch(folder, **{flag.replace(".", "__"): 7})
    _, args = launch(folder, train__seed=2, data__max_len=9)  # how it trains may still change
    assert run.config().values["run_id"] == args.unlearn.run_id and run.config().values["seed"] == 2


def test_a_resume_without_its_checkpoint_is_refused_and_deletes_nothing(folder):
    run, _ = trained(folder, 45)
    for changes in ({}, {"ckpt__path": str(folder / "wrong")}):
        with pytest.raises(UserError, match=r"holds steps 1 to 45, but .* has no checkpoint .*is --ckpt.path right"):
            launch(folder, ckpt__load_enable=True, **changes)
    assert run.steps() == list(range(1, 46))
    checkpoint(folder)
    launch(folder, ckpt__load_enable=True)


def test_a_run_that_ended_before_its_first_checkpoint_begins_again_with_the_same_command(folder, capsys):
    trained(folder, 15, ckpt__load_enable=True)
    launch(folder, ckpt__load_enable=True)
    assert "ended before its first checkpoint, of step 20, and begins again" in capsys.readouterr().out
    with pytest.raises(UserError, match="no checkpoint"):  # of another path nobody knows
        launch(folder, ckpt__load_enable=True, ckpt__path=str(folder / "wrong"))
    trained(folder, 15, ckpt__save_steps=-1, unlearn__run_dir=str(folder / "never"))
    with pytest.raises(UserError, match="no checkpoint"):  # it saves none: its steps may be a whole run
        launch(folder, ckpt__load_enable=True, ckpt__save_steps=-1, unlearn__run_dir=str(folder / "never"))


def test_steps_that_no_resume_was_asked_for_are_refused(folder):
    trained(folder, 3)
    with pytest.raises(UserError, match="already holds steps 1 to 3; go on with --ckpt.load_enable"):
        launch(folder)


def test_a_run_of_an_older_version_goes_on(folder):
    """Its run.json has no id, and knows no flag that came later."""
    run, _ = trained(folder, 25)
    old = run.config().values
    for name in ("run_id", "positive", "reward_function"):
        del old[name]
    del old["args"]["unlearn"]["positive_above"], old["args"]["unlearn"]["run_id"]
    run.run_json.write_text(json.dumps(old))
    checkpoint(folder)
    _, args = launch(folder, ckpt__load_enable=True)
    assert run.config().values["run_id"] == args.unlearn.run_id


def test_a_folder_of_something_else_is_left_alone(folder):
    (folder / "run").mkdir()
    (folder / "run" / "thesis.tex").touch()
    with pytest.raises(UserError, match="is not empty and no run directory"):
        launch(folder)


HOLD = """
import sys, time
from openrlhf_unlearn.store.locks import hold
with hold(sys.argv[1], "training"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_two_processes_cannot_hold_one_run_and_a_killed_one_does_not_block(folder):
    first = subprocess.Popen([sys.executable, "-c", HOLD, folder / "run"], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match=rf"run is in use by training \(process {first.pid} on "),
        hold(folder / "run", "x"),
    ):
        pass
    first.kill()
    first.wait()
    with hold(folder / "run", "training"):
        launch(folder)


@pytest.mark.parametrize("spec", ["{}", "{}:Name", "review+{}:Name", "{}:unlearnable"])
def test_relative_files_get_their_whole_path(folder, monkeypatch, spec):
    monkeypatch.chdir(folder)
    assert whole_path(spec.format("reward.py")) == spec.format(folder / "reward.py")


@pytest.mark.parametrize(
    "spec", [None, "", "dynamic", "review+dynamic", "Qwen/Qwen2.5-0.5B", "http://a:5000/x", "no.py:N"]
)
def test_what_is_no_file_stays_as_it_is(folder, monkeypatch, spec):
    monkeypatch.chdir(folder)
    assert whole_path(spec) == spec
