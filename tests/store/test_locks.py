"""The lock: one writer, named to others, free when its process ends in any way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.locks import hold, lock_file

HOLD = """
import sys, time
from pathlib import Path
from openrlhf_unlearn.store.locks import hold
with hold(Path(sys.argv[1]), "probe"):
    print("held", flush=True)
    {then}
"""


def holding(path: Path, then: str = "time.sleep(600)") -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD.format(then=then), path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("name", ["run", "run/evaluations/initial.parquet", "run/summary.json", "v1.5"])
def test_another_process_is_refused_and_told_who_holds_it(tmp_path, name):
    process = holding(tmp_path / name)
    try:
        about = json.loads(lock_file(tmp_path / name).read_text())
        assert about["pid"] == process.pid
        with pytest.raises(UserError) as refused, hold(tmp_path / name, "evaluate"):
            pass
        text = str(refused.value)
        assert "\n" not in text
        for part in (str(tmp_path / name), "probe", str(process.pid), about["host"], about["since"], "wait"):
            assert part in text
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_is_free_when_its_process_was_ended(tmp_path, end):
    process = holding(tmp_path)
    process.send_signal(end)
    process.wait()
    with hold(tmp_path, "evaluate"):
        pass


def test_a_forked_child_that_outlives_its_parent_does_not_keep_it(tmp_path):
    then = "import os; os.fork() and os.kill(os.getpid(), 9); print(os.getpid(), flush=True); time.sleep(600)"
    process = holding(tmp_path, then)
    assert process.wait() == -signal.SIGKILL
    child = int(process.stdout.readline())
    with hold(tmp_path, "evaluate"):
        os.kill(child, signal.SIGKILL)  # it is there still


def test_nothing_is_left_after_it(tmp_path):
    with hold(tmp_path / "table.parquet", "classify"), hold(tmp_path, "training"):
        assert sorted(os.listdir(tmp_path)) == [".lock", ".table.parquet.lock"]
    assert os.listdir(tmp_path) == []
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "new" / "run", "training"):
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == []
    with hold(tmp_path / "new" / "run", "training"):
        (tmp_path / "new" / "other").write_text("")
    assert os.listdir(tmp_path / "new") == ["other"]


def test_the_same_process_may_hold_it_twice_and_keeps_it_to_the_end(tmp_path):
    with hold(tmp_path, "analyze"):
        with hold(tmp_path, "evaluate"):
            pass
        other = [sys.executable, "-c", HOLD.format(then="pass"), tmp_path]
        assert "in use by analyze" in subprocess.run(other, capture_output=True, text=True).stderr


def test_a_short_work_waits_for_another(tmp_path):
    process = holding(tmp_path / "summary.json", "time.sleep(0.5)")
    with hold(tmp_path / "summary.json", "classify", wait_s=60):
        assert process.wait() == 0


ADD = """
import sys
from pathlib import Path
from openrlhf_unlearn.store.locks import hold
path = Path(sys.argv[1])
for _ in range(200):
    with hold(path, "counting", wait_s=120):
        path.write_text(str(int(path.read_text()) + 1))
"""


def test_no_update_is_lost_between_processes(tmp_path):
    path = tmp_path / "count.json"
    path.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", ADD, path]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert path.read_text() == "800"


def test_a_folder_that_cannot_be_written_is_one_line():
    with pytest.raises(UserError, match="cannot write /proc/run: "), hold(Path("/proc/run"), "evaluate"):
        pass


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="cannot write"), hold(tmp_path / "run", "evaluate"):
        pass


def test_without_locks_it_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with hold(tmp_path, "evaluate"):
        pass
    assert capsys.readouterr().err.count("no locks on this file system") == 1
