"""Training by `ray job submit` on two nodes, both on loopback, of which one is lost and joins again."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from openrlhf_unlearn.host.known_ends import LOST_NODE, UNREACHABLE
from openrlhf_unlearn.machine.ray_settings import environment
from tests.integration.stack import NO_REFERENCE, Training, check_run

ASKED = "OPENRLHF_UNLEARN_TWO_NODES"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get(ASKED), reason=f"many minutes on two cores: {ASKED}=1 runs it"),
]


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """A head and a second node of one logical GPU each; what they start inherits the variables of a CPU run."""
    from ray.cluster_utils import Cluster

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = {"num_cpus": 8, "num_gpus": 1, "wait": False}  # jobs wait for it; half a minute is short on a busy machine
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": True, "dashboard_port": port})
    made.job_server = f"http://127.0.0.1:{port}"
    made.second = made.add_node(**node)
    for _ in range(20):  # until the head's agent takes jobs
        if submit(made, ["true"], tmp_path / "agent.txt").wait(120) == 0:
            break
    yield made
    made.shutdown()


def submit(cluster, command: list[str], log, *options: str) -> subprocess.Popen:
    """`ray job submit`; it prints what the job prints and ends as the job does."""
    # The host repeats this variable: both a job and a driver give it.
    variables = json.dumps({"env_vars": {"NCCL_DEBUG": "INFO"}})
    ray = str(Path(sys.executable).with_name("ray"))
    words = [ray, "job", "submit", "--address", cluster.job_server, "--runtime-env-json", variables, *options, "--"]
    return subprocess.Popen([*words, *command], stdout=log.open("a"), stderr=subprocess.STDOUT, env=dict(os.environ))


def test_a_job_on_two_nodes_loses_one_and_goes_on_when_it_is_back(cluster, world, tmp_path):
    shared = tmp_path / "shared"  # a disk that both nodes see; the job's own folder is none
    shared.mkdir()
    lines = (world / "train.jsonl").read_text().splitlines(keepends=True)
    (shared / "data.jsonl").write_text("".join(lines[::3][:96]))
    training = Training(world, shared, data=shared / "data.jsonl")
    flags = {"unlearn__filter": "none", "ckpt__save_steps": 1, **NO_REFERENCE}

    log = shared / "lost.txt"
    job = submit(cluster, training.command(**flags), log)
    while len(training.run.steps("clipping")) < 2:  # a step is whole, its checkpoint too
        assert job.poll() is None, log.read_text()[-3000:]
        time.sleep(0.2)
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert job.wait(240) == 1, log.read_text()[-3000:]
    assert any(line in log.read_text() for line in (LOST_NODE, UNREACHABLE))

    cluster.add_node(num_cpus=8, num_gpus=1, wait=False)
    log = shared / "back.txt"
    again = training.command(**flags, ckpt__load_enable=True)
    assert submit(cluster, again, log).wait(400) == 0, log.read_text()[-3000:]
    check_run(training)
    assert Counter(row["step"] for row in training.rows(processed=True)) == {1: 32, 2: 32, 3: 32}

    package = tmp_path / "package"  # Ray unpacks it, and the job's relative paths would be in its copy
    package.mkdir()
    (package / "notes.txt").write_text("anything")
    log = shared / "refused.txt"
    relative = training.command(**{**flags, "unlearn.run_dir": "out"})
    assert submit(cluster, relative, log, "--working-dir", str(package)).wait(240) == 1, log.read_text()
    assert "--unlearn.run_dir out is relative" in log.read_text()
