"""A training that is ended by a signal leaves no process behind: Ray's, the trainer's, vLLM's."""

import signal
import time

import psutil
import pytest

from tests.integration.stack import NO_REFERENCE, Training

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_training(world, tmp_path, number):
    training = Training(world, tmp_path)
    process = training.start(unlearn__filter="none", rollout__batch_size=16, **NO_REFERENCE)
    while not training.run.steps():
        assert process.poll() is None, training.text()[-3000:]
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 5, "Ray's own, actors, and what vLLM starts in them"
    alive = [child.name() for child in children if child.is_running()]
    assert "VLLM::Worker" not in alive, "an engine computes where it schedules"
    process.send_signal(number)
    assert process.wait(60) != 0
    left = psutil.wait_procs(children, timeout=30)[1]
    names = [child.name() for child in left]
    for child in left:
        child.kill()
    assert not names
