"""Runs the real stack for the integration tests: the command line that a user types, in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from openrlhf_unlearn.evaluation.engines import has_gpu
from openrlhf_unlearn.store.run_dir import RunDir, read_table
from openrlhf_unlearn.store.training import Rewards

ROOT = Path(__file__).parents[2]

# Where CUDA is: the hybrid engine with sleep mode, on one GPU; elsewhere each its own logical one.
GPU = {
    "train.colocate_all": True,
    "vllm.enable_sleep": True,
    "vllm.gpu_memory_utilization": 0.4,
    "vllm.sync_backend": "nccl",
    "ds.attn_implementation": "sdpa",
}
CPU = {"vllm.enforce_eager": True, "vllm.sync_backend": "gloo", "ds.attn_implementation": "eager"}
# Each engine would compile how it samples, which a vocabulary of 42 does not need; one test of `evaluate` does.
ENVIRONMENT = {} if find_spec("torch") and has_gpu() else {"TORCH_COMPILE_DISABLE": "1"}

# A training in one go, and one that a signal ends first.
_RESUMED = pytest.param(True, marks=pytest.mark.long("test_replay.py kills and resumes a training"))
ENDED = pytest.mark.parametrize("ended", [False, _RESUMED], ids=["in one go", "ended and resumed"])
NO_REFERENCE = {"algo__kl__use_loss": None, "algo__kl__init_coef": 0}  # one process less to start


def error_line(text: str) -> str:
    """The one line by which our launcher says what went wrong; other processes may have written after it."""
    (line,) = [line for line in text.splitlines() if line.startswith("openrlhf-unlearn: ")]
    return line


_LAUNCHES = """
import json, sys
from openrlhf_unlearn.host import launcher
sys.stderr = sys.stdout
for words in json.load(sys.stdin):
    try:
        code = launcher.main(words)
    except SystemExit as stopped:
        code = stopped.code
    print(f"=== {code}", flush=True)
"""


def short_launches(commands: list[list[str]], cwd: Path = ROOT) -> list[tuple[int, str]]:
    """Exit code and output of launches that end before Ray starts.

    All in one process, because most of such a launch is importing; not in this one, whose host would stay changed.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCHES], input=json.dumps(commands), capture_output=True, text=True, cwd=cwd
    )
    pieces = re.split(r"^=== (\d+)\n", done.stdout, flags=re.MULTILINE)
    assert len(pieces) == 2 * len(commands) + 1, done.stdout + done.stderr
    return [(int(code), text) for text, code in zip(pieces[:-1:2], pieces[1::2], strict=True)]


def example(script: str, *words, **environment) -> str:
    """What `bash examples/SCRIPT.sh words …` prints, in the environment that the tests run in.

    Fails with the output's end unless it exits with 0.
    """
    done = subprocess.run(
        ["bash", ROOT / "examples" / f"{script}.sh", *map(str, words)],
        env={"UNLEARN_PYTHON": sys.executable, **os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def some_prompts(world: Path, folder: Path, every: int) -> Path:
    """A data set of the world's first prompt of each so many."""
    path = folder / f"every-{every}.jsonl"
    path.write_text("".join((world / "train.jsonl").read_text().splitlines(keepends=True)[::every]))
    return path


def kill(process: subprocess.Popen) -> None:
    """kill -9 of what leads a process group of its own, and of everything that it started."""
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        if child.is_running():
            child.kill()
    process.wait()


class Training:
    """One training command on the built-in world; `folder` holds its outputs, `world` the model and data."""

    def __init__(self, world: Path, folder: Path, *, plugin: bool = True, data: Path | None = None):
        self.folder = folder
        self.plugin = plugin
        self.run = RunDir(folder / "run")
        self.program = ["-m", "openrlhf.cli.train_ppo" if plugin else "openrlhf.cli.train_ppo_ray"]
        self.flags = {
            "actor.model_name_or_path": world / "model",
            "data.prompt_dataset": data or world / "train.jsonl",
            "data.input_key": "prompt",
            "data.label_key": "label",
            "data.max_len": 64,
            "rollout.max_new_tokens": 24,
            "reward.remote_url": ROOT / "examples" / "reward_math.py",
            "ckpt.output_dir": folder / "model",
            "ckpt.path": folder / "checkpoints",
            "rollout.batch_size": 32,
            "rollout.n_samples_per_prompt": 8,
            "rollout.micro_batch_size": 64,
            "train.batch_size": 128,
            "train.micro_batch_size": 64,
            "train.num_episodes": 1,
            "actor.adam.lr": 5e-5,
            "actor.lr_scheduler": "constant",
            "algo.advantage.estimator": "group_norm",
            "algo.kl.use_loss": True,
            "algo.kl.estimator": "k3",
            "algo.kl.init_coef": 3e-3,
            "actor.num_gpus_per_node": 1,
            "ref.num_gpus_per_node": 1,
            "vllm.num_engines": 1,
            "ds.zero_stage": 0,
            **(GPU if has_gpu() else CPU),
        }
        if plugin:
            self.flags["unlearn.run_dir"] = self.run.path

    def command(self, **changes) -> list[str]:
        """The command line of `words(**changes)`."""
        return [sys.executable, *self.program, *self.words(**changes)]

    def words(self, **changes) -> list[str]:
        """The launcher's arguments; `changes` name flags, `__` for the dot. True stands alone, None leaves it out."""
        flags = {**self.flags, **{name.replace("__", "."): value for name, value in changes.items()}}
        words = ["--plugin", "unlearn"] if self.plugin else []
        for name, value in flags.items():
            if value is None or value is False:
                continue
            words.append(f"--{name}")
            if value is not True:
                words += [str(item) for item in (value if isinstance(value, (list, tuple)) else [value])]
        return words

    def start(self, **changes) -> subprocess.Popen:
        """Start in the background; its output goes to `log`, and its process group is its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.log.open("w")
        return subprocess.Popen(
            self.command(**changes), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=os.environ | ENVIRONMENT,
            start_new_session=True,
        )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))

    def rows(self, processed: bool) -> list[dict]:
        """The rows of `rewards/`, in the order in which they were written."""
        return [row for row in Rewards.read(self.run).arrow.to_pylist() if row["processed"] == processed]

    def started(self, after_steps: int, **changes) -> subprocess.Popen:
        """Start; the process, as soon as the tracker has written that many steps."""
        process = self.start(**changes)
        while len(self.run.steps()) < after_steps:
            assert process.poll() is None, self.text()[-3000:]
            time.sleep(0.1)
        return process

    def start_and_kill(self, after_steps: int, **changes) -> None:
        """Start, and kill everything as soon as the tracker has written that many steps."""
        kill(self.started(after_steps, **changes))

    def start_and_signal(self, after_steps: int, number: int, **changes) -> None:
        """Start, and send the driver a signal at that step: no process is left behind, Ray's, the trainer's, vLLM's."""
        process = self.started(after_steps, **changes)
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
        assert not names, names

    def __call__(self, expect: int = 0, timeout: float = 600, **changes) -> str:
        """Run to the end; the output. Fails with the output's end if the exit code is another than expected."""
        process = self.start(**changes)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        assert code == expect, f"exit code {code}, log {self.log}:\n{self.text()[-6000:]}"
        return self.text()


def check_run(training, *, k=8, batch=32, episodes=1):
    """What holds for every finished run: steps without a gap, each prompt once an episode, full groups trained."""
    steps = training.run.steps()
    trained = Counter(row["step"] for row in training.rows(processed=True))
    assert sorted(trained) == list(range(1, len(trained) + 1)), "a training step's rows are missing"
    assert steps[: len(trained)] == sorted(trained) and len(steps) <= len(trained) + 1
    assert all(count == batch for count in list(trained.values())[:-1])
    assert all(row["n"] == k for row in training.rows(processed=True))
    visits = Counter(row["prompt_id"] for row in training.rows(processed=False))
    known = read_table(training.run.prompts)["prompt_id"].to_pylist()
    assert visits == dict.fromkeys(known, episodes), "a prompt was skipped or repeated"
    assert training.run.steps("clipping") == sorted(trained)
    assert (training.folder / "model" / "config.json").exists()
