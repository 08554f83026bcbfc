"""Nothing outlives a command that ends by Ctrl-C, SIGTERM or an error: children, their children, stubborn ones."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from openrlhf_unlearn.evaluation.leaving import nothing_outlives

COMMAND = """
import subprocess, sys, time
from openrlhf_unlearn.evaluation.leaving import nothing_outlives
sleeper = "import time; time.sleep(600)"
stubborn = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " \\
    "signal.signal(signal.SIGINT, signal.SIG_IGN); " \\
    f"subprocess.Popen([sys.executable, '-c', {sleeper!r}]); print('up', flush=True); time.sleep(600)"
with nothing_outlives():
    subprocess.Popen([sys.executable, "-c", stubborn])
    if sys.argv[1] == "error":
        sys.stdin.readline()
        raise ValueError("no")
    try:
        time.sleep(600)
    except SystemExit:
        if sys.argv[2:] == ["made into another"]:  # as Ray's waits do
            sys.exit(1)
        raise
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [("SIGTERM", 143), ("SIGTERM made into another", 143), ("SIGINT", -signal.SIGINT), ("error", 1)],
)
def test_children_end_with_us(ending, code):
    ending, *more = ending.split(maxsplit=1)
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, ending, *more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "up\n"
    while len(children := psutil.Process(process.pid).children(recursive=True)) < 2:
        time.sleep(0.01)
    if ending == "error":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, ending))
    assert process.wait(60) == code
    assert not psutil.wait_procs(children, timeout=5)[1]


LOST = """
import gc, signal, sys, time
from openrlhf_unlearn.evaluation.leaving import nothing_outlives
def stop(*_):
    gc.callbacks.clear()
    signal.raise_signal(getattr(signal, sys.argv[1]))
    time.sleep(0.01)
with nothing_outlives():
    gc.callbacks.append(stop)
    gc.collect()
    time.sleep(60)
    print("went on")
"""


@pytest.mark.parametrize(("ending", "code"), [("SIGTERM", 143), ("SIGINT", -signal.SIGINT)])
def test_a_stop_that_garbage_collection_swallows_comes_again(ending, code):
    done = subprocess.run([sys.executable, "-c", LOST, ending], capture_output=True, text=True)
    assert done.returncode == code and not done.stdout and "ignored" not in done.stderr


def test_what_was_there_before_stays():
    sleep = ["sleep", "600"]
    handler, before = signal.getsignal(signal.SIGTERM), subprocess.Popen(sleep)
    try:
        with nothing_outlives():
            started = subprocess.Popen(sleep)
        assert not psutil.pid_exists(started.pid) and before.poll() is None
        assert signal.getsignal(signal.SIGTERM) == handler
    finally:
        before.kill()
        before.wait()
