import asyncio
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading import Grade, MathGrader
from openrlhf_unlearn.grading.grade import quick_grade
from tests.grading.processes import alive, ended, groups

BOMB = r"\boxed{9^{9^{9^9}}}"
HALF = r"\boxed{\frac{2}{4}}"


@pytest.mark.parametrize(
    ("response", "label", "verdict"),
    [
        (r"so \boxed{12}<eos>", "12", "correct"),
        (r"#7391\boxed{13}<eos>", "12", "wrong"),
        ("#73912", "12", "no_answer"),  # a running sum of the built-in world, cut off
        (r"\boxed{\frac{1}{2}}", "0.5", "correct"),
        ("The answer is $7$.", "7", "correct"),
        ("I do not know", "7", "no_answer"),
        (None, "7", "no_answer"),
        (r"\boxed{7}", None, "bad_label"),
        (r"<think>\boxed{9}</think>The answer is 8.<|im_end|>", "8", "correct"),
        (r"\boxed{\frac{14}{2}}" + " and so on" * 100_000, "7", "correct"),
        (r"cut off \boxed{12", "12", "no_answer"),
        (r"\boxed{}", "12", "no_answer"),
        (r"\boxed{5}", "", "bad_label"),
        (r"\boxed{5}", r"\frac{1}{", "bad_label"),
        (r"first \boxed{3}, then \boxed{4}", "4", "correct"),
        (r"either \boxed{3} or \boxed{4}", "3, 4", "correct"),
    ],
)
def test_verdicts(grader, response, label, verdict):
    grade = grader.grade([response], [label])[0]
    assert grade.verdict == verdict
    assert grade.reward == float(verdict == "correct")


def test_a_power_tower_is_a_time_out_and_what_waits_behind_it_is_graded():
    with MathGrader(workers=1, timeout_s=1.0) as grader:
        grades = grader.grade([BOMB, *[HALF] * 6, BOMB, HALF], ["5", *["1/2"] * 6, "5", "1/2"])
    assert [grade.verdict for grade in grades] == ["timeout", *["correct"] * 6, "timeout", "correct"]


def test_memory_is_limited():
    with MathGrader(workers=1, timeout_s=20.0, memory_mb=64, answer_format=f"{__file__}:Hungry") as grader:
        grades = grader.grade(["eat", "fast", "eat", "fast"], ["1"] * 4)
    assert [grade.verdict for grade in grades] == ["timeout", "correct"] * 2


class Hungry:
    """A user's grader that takes as much memory as it is told to."""

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        if responses[0] == "eat":
            bytearray(2**30)
        return [Grade("correct", 1.0, responses[0])]


def test_a_users_grader_that_ignores_alarms_and_starts_processes_is_ended_with_them():
    """Also with those in sessions of their own, as graders that run code have them."""
    spec = f"{__file__}:Stubborn"
    with MathGrader(workers=1, timeout_s=1.0, answer_format=spec) as grader:
        grades = grader.grade(["fast", "stubborn", "fast", "exit", "fast", "daemon"], ["1"] * 6)
        assert grades[1].verdict == "timeout"
        until = time.monotonic() + 20
        while sleepers() != 1 and time.monotonic() < until:  # what was started is seen a moment later
            time.sleep(0.05)
        assert sleepers() == 1  # the process that left it still grades
    assert [grade.verdict for grade in grades] == ["correct", "timeout", "correct", "error", "correct", "correct"]
    assert sleepers() == 0


def sleepers() -> int:
    """The processes that Stubborn started."""
    commands = [process / "cmdline" for process in Path("/proc").glob("[0-9]*")]
    return sum(str(SECONDS).encode() in read(command) for command in commands)


def read(path: Path) -> bytes:
    with suppress(OSError):  # it ended between the listing and the reading
        return path.read_bytes()
    return b""


SECONDS = 4321.5  # a sleep that no other program asks for


class Stubborn:
    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        if responses[0] == "stubborn":
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            subprocess.Popen(["sleep", str(SECONDS)])
        if responses[0] in ("stubborn", "daemon"):
            subprocess.Popen(["sleep", str(SECONDS)], start_new_session=True)
        if responses[0] == "stubborn":
            time.sleep(SECONDS)
        if responses[0] == "exit":
            os._exit(0)
        return [Grade("correct", 1.0, responses[0])]


@pytest.mark.parametrize("verdict", ["splendid", "raises", "exits", "nan", "nothing"])
def test_what_a_users_grader_does_wrong_is_an_error_and_told_once(verdict, caplog):
    with MathGrader(workers=1, timeout_s=20.0, answer_format=f"{__file__}:Careless") as grader:
        grades = grader.grade([verdict] * 3, ["1"] * 3)
    assert grades == [Grade("error", 0.0, None)] * 3
    assert len(caplog.messages) == 1
    assert "Careless failed" in caplog.text


class Careless:
    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        if responses[0] == "raises":
            raise KeyError("boom")
        if responses[0] == "exits":
            sys.exit(0)
        if responses[0] == "nothing":
            return []
        return [Grade("correct" if responses[0] == "nan" else responses[0], float("nan"), None)]


def test_from_asyncio_the_same_in_order(grader):
    responses = [rf"\boxed{{\frac{{{n}}}{{3}}}}" for n in range(1, 9)]
    labels = [f"{n}/3" for n in range(1, 9)]
    assert asyncio.run(grader.agrade(responses, labels)) == grader.grade(responses, labels)


class Bomb:
    """Says in the file that the response names which process grades it, and in which session; then it computes until it
    is killed, or waits until the file that the label names is there. Any other response is right."""

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        (response,), (label,) = responses, labels
        if response.startswith("/"):
            Path(f"{response}.new").write_text(f"{os.getpid()} {os.getsid(0)}")
            os.replace(f"{response}.new", response)
            while label.startswith("/") and not os.path.exists(label):
                time.sleep(0.01)
            if not label.startswith("/"):
                9**9**9  # noqa: B018  minutes in one multiplication of C code
        return [Grade("correct", 1.0, response)]


OF_BOMBS = f"{__file__}:Bomb"


def at_work(said: Path) -> tuple[int, int]:
    """(the process, its session) that grades the item of this file, as soon as it does."""
    until = time.monotonic() + 120
    while not said.exists() and time.monotonic() < until:
        time.sleep(0.01)
    process, session = map(int, said.read_text().split())
    return process, session


def test_a_cancelled_call_leaves_the_grader_free(tmp_path):
    async def cancel(grader) -> list[Grade]:
        call = asyncio.create_task(grader.agrade([str(tmp_path / "said")] * 50, ["5"] * 50))
        await asyncio.to_thread(at_work, tmp_path / "said")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await asyncio.wait_for(grader.agrade([HALF], ["1/2"]), 30)  # not after fifty seconds of bombs

    with MathGrader(workers=1, timeout_s=1.0, answer_format=OF_BOMBS) as grader:
        assert asyncio.run(cancel(grader))[0].verdict == "correct"


def test_an_interrupted_program_ends_at_once_with_its_processes(tmp_path):
    code = (
        "from openrlhf_unlearn.grading import MathGrader\n"
        f"grader = MathGrader(workers=1, timeout_s=600.0, answer_format={OF_BOMBS!r})\n"
        f"grader.grade([{str(tmp_path / 'said')!r}] * 9, ['5'] * 9)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    _, session = at_work(tmp_path / "said")
    owner.send_signal(signal.SIGINT)
    _, errors = owner.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")
    assert ended(session)


def test_from_many_threads_each_gets_its_own(grader):
    def one(n: int) -> str:
        return grader.grade([rf"\boxed{{\frac{{{n}}}{{7}}}}"], [f"{n}/7"])[0].answer

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(one, range(1, 33))) == [rf"\frac{{{n}}}{{7}}" for n in range(1, 33)]


def _grade_in_child(grader, results):
    results.put([grade.verdict for grade in grader.grade([HALF, r"\boxed{\frac13}"], ["1/2", "1/2"])])
    grader.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_grader_carried_into_another_process_grades_there_and_leaves_the_parents_alone(grader, method):
    grader.grade([HALF], ["1/2"])
    ours = groups(grader)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    child = context.Process(target=_grade_in_child, args=(grader, results))
    child.start()
    assert results.get(timeout=120) == ["correct", "wrong"]
    child.join(60)
    assert child.exitcode == 0
    assert groups(grader) == ours
    assert all(map(alive, ours))
    assert grader.grade([HALF], ["1/2"])[0].verdict == "correct"


def test_pickling_keeps_the_options():
    with (
        MathGrader(workers=1, timeout_s=3.0, answer_format="text") as grader,
        pickle.loads(pickle.dumps(grader)) as other,
    ):
        assert other.grade(["Friday"], ["friday"])[0].verdict == "correct"


def test_closing_ends_every_process_also_one_at_work(tmp_path):
    grader = MathGrader(workers=2, timeout_s=600.0, answer_format=OF_BOMBS)
    grader.grade([HALF] * 4, ["1/2"] * 4)
    started = groups(grader)
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(grader.grade, [str(tmp_path / "said")], ["5"])
        at_work(tmp_path / "said")
        grader.close()
        with pytest.raises(RuntimeError, match="closed"):
            work.result()
    assert started
    assert all(map(ended, started))
    with pytest.raises(RuntimeError):
        grader.grade([HALF], ["1/2"])


def test_a_killed_owner_leaves_no_process_behind(tmp_path):
    code = (
        "from openrlhf_unlearn.grading import MathGrader\n"
        f"grader = MathGrader(workers=1, timeout_s=2.0, answer_format={OF_BOMBS!r})\n"
        f"grader.grade([{str(tmp_path / 'said')!r}] * 100, ['5'] * 100)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code])
    _, session = at_work(tmp_path / "said")
    assert alive(session)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert ended(session, 30)


@pytest.mark.parametrize("victim", ["the worker", "its fork that grades"])
def test_a_process_that_somebody_kills_is_replaced_and_its_item_graded_again(tmp_path, victim):
    said, go = tmp_path / "said", tmp_path / "go"
    with (
        MathGrader(workers=1, timeout_s=600.0, answer_format=OF_BOMBS) as grader,
        ThreadPoolExecutor(1) as own,
    ):
        work = own.submit(grader.grade, [str(said), "second"], [str(go), "1"])
        process, session = at_work(said)
        os.kill(session if victim == "the worker" else process, signal.SIGKILL)
        go.write_text("")
        first, second = (grade.verdict for grade in work.result())
    # the end of the fork alone looks like the kernel's, for want of memory
    assert first == "correct" or victim == "its fork that grades" and first == "timeout"
    assert second == "correct"


def test_the_interpreter_ends_though_an_answer_hangs(tmp_path):
    code = (
        "import os, threading, time\n"
        "from openrlhf_unlearn.grading import MathGrader\n"
        f"said = {str(tmp_path / 'said')!r}\n"
        f"grader = MathGrader(workers=1, timeout_s=600.0, answer_format={OF_BOMBS!r})\n"
        "threading.Thread(target=grader.grade, args=([said] * 9, ['5'] * 9), daemon=True).start()\n"
        "while not os.path.exists(said):\n"
        "    time.sleep(0.01)\n"
    )
    owner = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=120)
    assert owner.returncode == 0, owner.stderr
    assert ended(at_work(tmp_path / "said")[1])


def test_workers_do_not_import_torch():
    code = "import sys; from openrlhf_unlearn.grading import worker, compare; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "math_verify" in modules
    assert not {"torch", "ray", "pyarrow", "openrlhf"}.intersection(modules)


def test_what_cannot_be_is_one_line():
    with pytest.raises(UserError, match="auto, boxed"):
        MathGrader(answer_format="bxed")
    with pytest.raises(UserError, match="no such file"):
        MathGrader(answer_format="missing.py:Grader")
    for option in ({"workers": 0}, {"workers": "2"}, {"timeout_s": None}, {"memory_mb": float("nan")}):
        with pytest.raises(UserError, match="needs a worker"):
            MathGrader(**option)


@pytest.mark.parametrize(
    ("responses", "labels", "message"),
    [
        (["a", "b"], ["a"], "2 responses but 1 labels"),
        ("ab", ["a", "b"], "not one text"),
        (["7", [{"role": "assistant"}]], ["7", "7"], "response 1 is a list"),
    ],
)
def test_a_callers_mistake_is_one_line(grader, responses, labels, message):
    with pytest.raises(UserError, match=message):
        grader.grade(responses, labels)
    with pytest.raises(UserError, match=message):
        asyncio.run(grader.agrade(responses, labels))


def test_numbers_are_read_as_text_and_what_is_no_text_is_a_bad_label(grader):
    labels = [7, 7.0, float("nan"), float("inf"), None, ["7"], b"7", {"answer": 7}]
    grades = grader.grade([r"\boxed{7}"] * len(labels), labels)
    assert [grade.verdict for grade in grades] == ["correct"] * 2 + ["bad_label"] * 6
    assert grader.gradable(labels) == [True] * 2 + [False] * 6
    assert grader.grade([7, 0.5], ["7", "1/2"]) == [Grade("correct", 1.0, "7"), Grade("correct", 1.0, "0.5")]
    assert grader.grade([], []) == asyncio.run(grader.agrade([], [])) == grader.gradable([]) == []


def test_the_quick_way_decides_integers_in_boxes_only():
    assert quick_grade(r"\boxed{007}", "7") == Grade("correct", 1.0, "007")
    assert quick_grade(r"\boxed{8}", "7") == Grade("wrong", 0.0, "8")
    assert quick_grade(r"\boxed{x}", "7") is None
    assert quick_grade(r"\boxed{7}", "x") is None
    assert quick_grade("7", "7") is None
