"""Where the state lies: found after a kill between any two writes, removed with the host's checkpoint, of one run."""

import os
import shutil
from types import SimpleNamespace

import pytest
import torch

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.checkpoint import StateFiles, check_run
from openrlhf_unlearn.host.training.generator import ResumableLoader


def host_saves(folder, tag):
    """What the host's rank 0 does: the folder, then `latest`."""
    (folder / "_actor" / tag).mkdir(parents=True, exist_ok=True)
    (folder / "_actor" / "latest").write_text(tag)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.npz"))


def test_a_state_is_in_the_hosts_checkpoint_and_goes_with_it(tmp_path):
    files = StateFiles(tmp_path)
    references = {}
    for step in (2, 4, 6):
        references[step] = files.reference(step)
        files.write({"step": step}, step)
        host_saves(tmp_path, f"global_step{step}")
        files.place(f"global_step{step}", references[step])
    shutil.rmtree(tmp_path / "_actor" / "global_step2")  # the host's --ckpt.max_num
    assert [name.split("-")[0] for name in names(tmp_path)] == [
        "_actor/global_step4/state", "_actor/global_step6/state", "_unlearn/state",
    ]  # fmt: skip
    assert [StateFiles(tmp_path).read(references[step]) for step in (4, 6)] == [{"step": 4}, {"step": 6}]
    staged, saved = (tmp_path / folder / references[6]["file"] for folder in ("_unlearn", "_actor/global_step6"))
    assert os.path.samefile(staged, saved)  # one copy on the disk


def test_a_run_killed_between_the_hosts_checkpoint_and_the_link_goes_on(tmp_path):
    files = StateFiles(tmp_path)
    files.write({"step": 2}, 2)
    host_saves(tmp_path, "global_step2")
    again = StateFiles(tmp_path)
    assert again.read(files.reference(2)) == {"step": 2}
    again.write({"step": 9}, 9)  # which cleans up
    assert StateFiles(tmp_path).read(files.reference(2)) == {"step": 2}


def test_a_step_trained_again_after_a_resume_replaces_the_first(tmp_path):
    before, after = StateFiles(tmp_path), StateFiles(tmp_path)
    for files in (before, after):
        files.write({"launch": files.launch}, 2)
        host_saves(tmp_path, "global_step2")
        files.place("global_step2", files.reference(2))
    assert after.read(after.reference(2)) == {"launch": after.launch}
    assert sum(name.startswith("_actor") for name in names(tmp_path)) == 1


def test_the_generator_may_be_ahead_of_the_checkpoint_that_is_saved(tmp_path):
    files = StateFiles(tmp_path, ahead=2)
    for step in (1, 2, 3):
        files.write({"step": step}, step)
    host_saves(tmp_path, "global_step1")
    files.place("global_step1", files.reference(1))
    files.write({"step": 4}, 4)
    assert [int(name.split("-")[1]) for name in names(tmp_path / "_unlearn")] == [2, 3, 4]


def test_what_a_killed_process_left_unfinished_is_removed(tmp_path):
    (tmp_path / "_unlearn").mkdir()
    (tmp_path / "_unlearn" / ".state-000001-00000000.npz.abc").write_bytes(b"half")
    StateFiles(tmp_path).write({}, 1)
    assert len(list((tmp_path / "_unlearn").iterdir())) == 1


def test_without_hard_links_it_is_a_copy(tmp_path, monkeypatch):
    def link(source, target):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", link)
    files = StateFiles(tmp_path)
    files.write({"step": 2}, 2)
    host_saves(tmp_path, "global_step2")
    files.place("global_step2", files.reference(2))
    shutil.rmtree(tmp_path / "_unlearn")
    assert StateFiles(tmp_path).read(files.reference(2)) == {"step": 2}


def test_a_folder_that_is_not_shared_is_told_at_the_first_checkpoint(tmp_path):
    host_saves(tmp_path, "global_step2")
    with pytest.raises(UserError, match="--ckpt.path must be a folder that all machines share"):
        StateFiles(tmp_path).place("global_step2", StateFiles(tmp_path).reference(2))


def test_a_checkpoint_without_its_state_is_refused(tmp_path):
    with pytest.raises(UserError, match="state-000002-.* does not exist"):
        StateFiles(tmp_path).read(StateFiles(tmp_path).reference(2))


def test_a_checkpoint_of_another_run_is_refused_naming_both(tmp_path):
    files = StateFiles(tmp_path, run_id="first")
    files.write({}, 1)
    host_saves(tmp_path, "global_step1")
    with pytest.raises(UserError, match="belongs to run first, the run directory to run second: give the --ckpt.path"):
        StateFiles(tmp_path, run_id="second").read(files.reference(1))
    assert StateFiles(tmp_path, run_id="first").read(files.reference(1)) == {}


@pytest.mark.parametrize(("one", "other"), [("a", "a"), (None, "a"), ("a", None), (None, None)])
def test_ids_that_are_not_known_do_not_differ(one, other):
    check_run(one, other)


# The loader, as the host's trainers call it --------------------------------------------------------------------------


class Generator:
    """What the loader needs of the generator."""

    def __init__(self, folder, filter_state=None, **ckpt):
        self.args = SimpleNamespace(
            ckpt=SimpleNamespace(
                path=str(folder), **{"save_steps": 2, "disable_ds": False, "best_metric_key": "", **ckpt}
            ),
            train=SimpleNamespace(async_enable=False),
            unlearn=SimpleNamespace(filter="mine.py:Mine"),
        )
        self.filter = SimpleNamespace(state_dict=lambda: filter_state)
        self.stream = SimpleNamespace(sampler=SimpleNamespace(state_dict=dict))
        self.step = self.asked = 0

    def state_dict(self):
        self.asked += 1
        return {"step": self.step, "filter": self.filter.state_dict()}

    def load_state_dict(self, state):
        self.step = state["step"]


def test_the_state_is_made_only_for_steps_whose_checkpoint_is_saved(tmp_path):
    generator = Generator(tmp_path)
    loader = ResumableLoader(generator)
    for generator.step in range(1, 7):
        reference = loader.state_dict()
        assert len(repr(reference)) < 200  # all that the host stores, prints and sends to each rank
    assert generator.asked == 3
    host_saves(tmp_path, "global_step6")
    again = Generator(tmp_path)
    ResumableLoader(again).load_state_dict(reference)
    assert again.step == 6


@pytest.mark.parametrize("ckpt", [{"save_steps": float("inf")}, {"disable_ds": True}])
def test_no_state_where_no_checkpoint_is_saved(tmp_path, ckpt):
    generator = Generator(tmp_path, **ckpt)
    loader = ResumableLoader(generator)
    for generator.step in range(1, 5):
        loader.state_dict()
    assert generator.asked == 0 and not list(tmp_path.iterdir())


def test_a_filter_that_cannot_be_saved_is_named_after_the_first_step(tmp_path):
    generator = Generator(tmp_path, filter_state={"seen": object()})
    generator.step = 1
    with pytest.raises(
        UserError, match=r"--unlearn.filter mine.py:Mine: state_dict\(\): state\['seen'\] is of type object"
    ):
        ResumableLoader(generator).state_dict()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "saved without --plugin unlearn"),
        ({"unlearn": torch.zeros(3, dtype=torch.uint8)}, "older version of the plugin"),  # a pickle, as of version 1
    ],
)
def test_a_checkpoint_that_is_not_ours_to_read_is_refused_in_one_line(tmp_path, state, message):
    with pytest.raises(UserError, match=message) as caught:
        ResumableLoader(Generator(tmp_path)).load_state_dict(state)
    assert "\n" not in str(caught.value)
