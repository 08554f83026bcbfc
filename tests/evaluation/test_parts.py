"""A merge is checked against what was counted; nothing finished is replaced by less."""

import shutil

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.parts import Parts
from openrlhf_unlearn.evaluation.settings import Settings
from openrlhf_unlearn.store.run_dir import RunDir, read_table, write_table
from openrlhf_unlearn.store.trust import check_run, own

SETTINGS = Settings(
    model="m", model_fingerprint="hub", n=4, seed=0, dtype="float32", adaptive=None, settle=0.1, save_responses=True,
    data="d", input_key="prompt", label_key="label", input_template=None, apply_chat_template=False,
    prompt_split="train", max_len=64, max_new_tokens=8, temperature=1.0, top_p=1.0, reward=None, answer_format="auto",
)  # fmt: skip


def parts_of(run: RunDir, *rounds: str) -> Parts:
    """Each round names the prompts that get a sample in it; each round is a part."""
    parts = Parts(run, "initial", SETTINGS)
    for names in rounds:
        parts.write([(name, f"answer of {name}", [1], float(name == "a"), "correct", "box; number") for name in names])
    return parts


def test_parts_become_one_table_with_every_sample_once(tmp_path):
    run = RunDir(tmp_path)
    assert parts_of(run, "abb", "ac").merge()["correct"] == 5
    table = read_table(run.evaluation("initial"))
    found = sorted(zip(table.column("prompt_id").to_pylist(), table.column("sample").to_pylist(), strict=True))
    assert found == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0)]


def lose(folder):
    (folder / "part-00001.parquet").unlink()


def double(folder):
    shutil.copy(folder / "part-00001.parquet", folder / "part-00007.parquet")


def swap(folder):
    shutil.copy(folder / "part-00000.parquet", folder / "part-00001.parquet")


@pytest.mark.parametrize("change", [lose, double, swap])
@pytest.mark.parametrize("finished", [False, True])
def test_a_merge_of_other_samples_than_were_counted_is_refused(tmp_path, change, finished):
    run = RunDir(tmp_path)
    parts = parts_of(run, "abc", "abc")
    if finished:
        parts.merge()
    before = run.evaluation("initial").read_bytes() if finished else None
    change(parts.folder)
    with pytest.raises(UserError, match="6 were counted"):
        parts.merge()
    assert (run.evaluation("initial").read_bytes() if finished else None) == before
    assert finished or not run.evaluation("initial").exists()
    assert [path.name for path in run.evaluation("initial").parent.iterdir() if path.name[0] == "."] == []


def test_a_finished_evaluation_is_not_replaced_by_a_smaller_one(tmp_path):
    run = RunDir(tmp_path)
    parts_of(run, "abc", "abc").merge()
    run.remove_parts("initial")
    before = run.evaluation("initial").read_bytes()
    with pytest.raises(UserError, match="3 were counted, 6 are finished"):
        parts_of(run, "abc").merge()
    assert run.evaluation("initial").read_bytes() == before


def test_a_part_of_an_earlier_version_has_no_reasons(tmp_path):
    run = RunDir(tmp_path)
    parts = parts_of(run, "ab")
    (old,) = parts.folder.glob("part-*.parquet")
    write_table(old, read_table(old).drop_columns(["reason"]))
    parts.write([("c", "text", [1], 1.0, "correct", "box; number")])
    parts.merge()
    assert read_table(run.evaluation("initial")).column("reason").to_pylist() == [None, None, "box; number"]


def test_no_sample_at_all_is_no_evaluation(tmp_path):
    run = RunDir(tmp_path)
    with pytest.raises(UserError, match="0 were counted"):
        parts_of(run).merge()
    assert not run.evaluation("initial").exists()


def test_a_run_stays_ones_own_where_it_is_moved_and_not_where_it_is_changed(tmp_path):
    run = tmp_path / "run.json"
    run.write_text('{"reward": "mine.py"}')
    with pytest.raises(UserError, match="names code: mine.py; read that, then give --reward FILE.py or --trust-run"):
        check_run(run, "mine.py", False, "--reward FILE.py or ")
    own(run)
    check_run(run, "mine.py", False)
    check_run(run.rename(tmp_path / "moved.json"), "mine.py", False)
    (tmp_path / "moved.json").write_text('{"reward": "theirs.py"}')
    with pytest.raises(UserError):
        check_run(tmp_path / "moved.json", "theirs.py", False)
    check_run(tmp_path / "moved.json", "theirs.py", True)
    check_run(tmp_path / "moved.json", "theirs.py", False)  # trusted from then on


def test_a_state_folder_that_cannot_be_written_means_a_flag_each_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    run = tmp_path / "run.json"
    run.write_text("{}")
    check_run(run, "mine.py", True)
    with pytest.raises(UserError):
        check_run(run, "mine.py", False)
