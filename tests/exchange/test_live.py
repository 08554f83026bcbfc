"""Other frameworks' runs, written as they train: what is counted, what a resume drops, and that training goes on."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.formats import FORMATS
from openrlhf_unlearn.exchange.live import LiveWriter, Rollout, record_generations, recorded
from openrlhf_unlearn.exchange.live.follow import look
from openrlhf_unlearn.exchange.live.writer import pooled
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.store.prompts import Prompts as PromptTable
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts
from tests.exchange.cli import counts, imported
from tests.store.test_locks import holding


def group(prompt: str, rewards, **more) -> list[Rollout]:
    return [Rollout(prompt, f"{prompt} {i}", reward, "1", **more) for i, reward in enumerate(rewards)]


def test_a_step_is_written_when_the_next_one_begins(tmp_path):
    writer = LiveWriter(tmp_path / "run", model="m", save_rollouts=1)
    writer.add(1, group("a", [1.0, 0.0]) + group("b", [0.0, None, float("nan")]))
    assert not RunDir(tmp_path / "run").steps()
    writer.add(1, group("a", [1.0]))
    writer.add(2, group("a", [1.0]))
    assert counts(tmp_path / "run") == {1: (2, 4, 2)}
    writer.close()
    run = RunDir.open(tmp_path / "run")
    assert counts(run.path) == {1: (2, 4, 2), 2: (1, 1, 1)}
    assert [row["response"] for row in TrainingRollouts.read(run).arrow.to_pylist()] == ["a 0", "b 0", "a 0"]
    assert run.config().values["positive"] == {"by": "reward", "threshold": 0.5, "given": False}
    assert prompt_id("a", "1") in Rewards.read(run).arrow.column("prompt_id").to_pylist()


def test_a_trainer_needs_no_more_of_the_base_than_arrow_numpy_and_psutil(tmp_path):
    """docs/install.md: what math-verify asks for and verl cannot have is not there, nor is the rest."""
    code = """if True:
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in gone:
                    raise ModuleNotFoundError(name)

        gone = "math_verify antlr4 latex2sympy2_extended sympy jinja2 joblib matplotlib openai pydantic safetensors "
        gone = (gone + "sklearn scipy tqdm pandas torch transformers datasets openrlhf").split()
        sys.meta_path.insert(0, Missing())
        from openrlhf_unlearn.exchange.live import LiveWriter, Rollout, record_generations, recorded
        writer = LiveWriter(sys.argv[1], model="m", save_rollouts=1)
        writer.add(1, [Rollout("1+1", "2", 1.0, "2"), Rollout("1+1", "3", 0.0, "2")])
        writer.close()
    """
    subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=True)
    assert counts(tmp_path / "run") == {1: (1, 2, 1)}


def test_prompts_that_an_import_is_writing_are_waited_for(tmp_path):
    writer = LiveWriter(tmp_path / "run")
    writer.add(1, group("a", [1.0, 0.0]))
    then = "from tests.exchange.test_live import import_b; import_b(Path(sys.argv[1]).parent)"
    process = holding(tmp_path / "run" / "prompts.parquet", then)
    writer.close()
    process.wait()
    assert {row.prompt for row in PromptTable.read(RunDir(tmp_path / "run")).rows()} == {"a", "b"}


def import_b(run: Path) -> None:
    """What `import --tag` does at its end, to the prompts that it read at its beginning."""
    row = PromptTable.Row(prompt_id=prompt_id("b", "1"), prompt="b", label="1")
    PromptTable.of_rows([row]).write(RunDir(run))


def test_ranks_that_see_parts_of_a_step_make_one_row_a_prompt(tmp_path, monkeypatch):
    first = LiveWriter(tmp_path / "run", save_rollouts=3)
    monkeypatch.setenv("RANK", "1")
    second = LiveWriter(tmp_path / "run", save_rollouts=3)
    for writer, rewards in ((first, [1.0, 0.0]), (second, [1.0, 1.0])):
        writer.add(1, group("a", rewards))
    second.add(1, group("only here", [0.0]))
    first.close()
    second.close()
    rows = {row["prompt_id"]: row for row in Rewards.read(RunDir(tmp_path / "run")).arrow.to_pylist()}
    assert rows[prompt_id("a", "1")]["std_reward"] == pytest.approx(np.std([1, 0, 1, 1]))
    assert counts(tmp_path / "run") == {1: (2, 5, 3)}
    samples = TrainingRollouts.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    assert sorted((row["response"], row["sample"]) for row in samples)[:3] == [("a 0", 0), ("a 0", 2), ("a 1", 1)]
    assert len(Rewards.read(RunDir(tmp_path / "run")).arrow) == 2


def test_parts_pool_to_what_the_whole_would_be():
    def row(rewards):
        return Rewards.Row(
            prompt_id="a",
            n=len(rewards),
            n_positive=sum(r > 0.5 for r in rewards),
            pass_rate=0.0,
            mean_reward=np.mean(rewards),
            std_reward=np.std(rewards),
        )

    one, other = [0.1, 0.9, 0.4], [0.7]
    whole = pooled(row(one), row(other))
    assert whole.mean_reward == pytest.approx(np.mean(one + other))
    assert whole.std_reward == pytest.approx(np.std(one + other)) and (whole.n, whole.n_positive) == (4, 2)
    assert pooled(row([1.0]), row([1.0])).std_reward == 0


def test_a_resume_drops_what_comes_again(tmp_path):
    for first, last in ((1, 4), (3, 3)):
        writer = LiveWriter(tmp_path / "run")
        for step in range(first, last + 1):
            writer.add(step, group("a", [1.0, 0.0]))
        writer.close()
    assert counts(tmp_path / "run") == {1: (1, 2, 1), 2: (1, 2, 1), 3: (1, 2, 1)}


def test_rewards_that_nobody_can_read_are_refused_at_once_and_never_later(tmp_path):
    with pytest.raises(UserError, match="threshold="):
        LiveWriter(tmp_path / "a").add(1, group("a", [0.3]))
    assert not (tmp_path / "a").exists()
    writer = LiveWriter(tmp_path / "b")
    writer.add(1, group("a", [0.0]))
    writer.add(2, group("a", [0.3]))
    with pytest.warns(UserWarning, match="recorded no more"):
        writer.add(3, group("a", [1.0]))
    writer.close()
    assert counts(tmp_path / "b") == {1: (1, 1, 0)}
    shaped = LiveWriter(tmp_path / "c", threshold=0.2)
    shaped.add(1, group("a", [0.3, 0.1]))
    shaped.close()
    assert counts(tmp_path / "c") == {1: (1, 2, 1)}


def test_a_framework_that_falls_silent_is_judged_by_its_rewards(tmp_path):
    writer = LiveWriter(tmp_path / "run")
    writer.add(1, group("a", [1.0, 0.0], positive=True))
    writer.add(2, group("a", [1.0, 0.0]))
    writer.close()
    assert counts(tmp_path / "run") == {1: (1, 2, 2), 2: (1, 2, 1)}


def test_rollouts_of_no_prompt_are_not_put_together_as_one(tmp_path):
    with pytest.raises(UserError, match="no rollout has a prompt or an id"):
        LiveWriter(tmp_path / "a").add(1, [Rollout(None, "x", 1.0)])
    assert not (tmp_path / "a").exists()
    writer = LiveWriter(tmp_path / "b")
    writer.add(1, [Rollout(None, "x", 1.0), *group("a", [1.0, 0.0])])
    writer.add(2, [Rollout(None, "x", 1.0)])
    writer.close()
    assert counts(tmp_path / "b") == {1: (1, 2, 1)}


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="no run directory"):
        LiveWriter(tmp_path)


def test_a_function_as_trl_calls_it(tmp_path):
    writer = LiveWriter(tmp_path / "run")

    def accuracy(prompts, completions, answer, **columns):
        return [float(a == said) for a, said in zip(answer, completions, strict=True)]

    async def later(prompts, completions, **columns):
        return [None] * len(prompts)

    given = {"prompts": ["a", "a"], "completions": ["1", "2"], "answer": ["1", "1"]}
    state = SimpleNamespace(global_step=4)
    assert recorded(accuracy, writer)(trainer_state=state, **given) == [1.0, 0.0]
    assert recorded(accuracy, writer, training=lambda: False)(trainer_state=state, **given) == [1.0, 0.0]
    assert asyncio.run(recorded(later, writer)(trainer_state=state, **given)) == [None, None]
    assert recorded(accuracy, writer).__name__ == "accuracy"
    writer.close()
    assert counts(tmp_path / "run") == {5: (1, 2, 1)}


@pytest.mark.slow
def test_trl_itself(tmp_path):
    trl = pytest.importorskip("trl", reason="TRL is not installed")
    from datasets import Dataset

    from tests.integration.tiny import byte_level_model

    model = byte_level_model(tmp_path / "model")
    data = Dataset.from_list([{"prompt": f"What is {i} plus 1?", "answer": str(i + 1)} for i in range(4)])
    writer = LiveWriter(tmp_path / "run", save_rollouts=2)

    def accuracy(prompts, completions, answer, **columns):
        return [float(len(said) % 2) for said in completions]

    settings = trl.GRPOConfig(
        str(tmp_path / "out"), max_steps=3, per_device_train_batch_size=4, num_generations=4, max_completion_length=6,
        use_cpu=True, bf16=False, report_to=[], save_strategy="no", logging_steps=1, log_completions=True,
    )  # fmt: skip
    trl.GRPOTrainer(str(model), [recorded(accuracy, writer)], args=settings, train_dataset=data).train()
    writer.close()
    live = counts(tmp_path / "run")
    assert list(live) == [1, 2, 3] and all(n == 4 for _, n, _ in live.values())
    assert imported("trl", tmp_path / "out", tmp_path / "logged") == 0
    assert counts(tmp_path / "logged") == live, "what TRL itself logs says the same"


def test_verls_own_writer_is_recorded(tmp_path):
    """On a class of the same kind here; on verl's own where it is installed (test below)."""

    class Trainer:
        global_steps = 2
        config = SimpleNamespace(trainer=SimpleNamespace(rollout_data_dir="rollouts"))
        dumped = 0

        def _dump_generations(self, inputs, outputs, gts, scores, reward_extra_infos_dict, dump_path):
            self.dumped += 1

    one = Trainer()
    check_verl(Trainer, one, tmp_path)
    assert one.dumped == 2


@pytest.mark.slow
def test_verl_itself(tmp_path):
    trainer = pytest.importorskip("verl.trainer.ppo.ray_trainer", reason="verl is not installed").RayPPOTrainer
    one = trainer.__new__(trainer)  # without a cluster: only what its writer needs
    one.global_steps, one.config = 2, SimpleNamespace(trainer=SimpleNamespace(rollout_data_dir=str(tmp_path / "dump")))
    one._init_dump_executor()
    check_verl(trainer, one, tmp_path)
    one._shutdown_dump_executor()
    assert (tmp_path / "dump" / "2.jsonl").exists()


def check_verl(trainer: type, one, tmp_path) -> None:
    plain = trainer._dump_generations
    try:
        record_generations(trainer, writer := LiveWriter(tmp_path / "run"))
        folder = one.config.trainer.rollout_data_dir
        given = {"inputs": ["a", "a"], "outputs": ["1", "2"], "gts": ["1", {"answer": "1"}], "scores": [1.4, -0.2]}
        one._dump_generations(**given, reward_extra_infos_dict={"acc": [True, False]}, dump_path=folder)
        one._dump_generations(**given, reward_extra_infos_dict={}, dump_path=str(tmp_path / "validation"))
    finally:
        trainer._dump_generations = plain
    writer.close()
    assert counts(tmp_path / "run") == {2: (1, 2, 1)}


def test_files_are_followed_as_they_appear(tmp_path):
    run, source = RunDir(tmp_path / "run"), tmp_path / "rollouts"
    reader, writer = Reader(FORMATS["verl"], {}, False, None), LiveWriter(run.path)
    source.mkdir()

    def dump(step: int, scores) -> None:
        rows = [{"input": "a", "output": "x", "gts": "1", "score": score, "step": step} for score in scores]
        (source / f"{step}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    sizes = look(run, reader, str(source), writer, {})
    assert sizes == {}, "nothing is there yet"
    dump(1, [1, 0])
    sizes = look(run, reader, str(source), writer, sizes)
    assert not run.steps(), "it may still grow"
    dump(2, [1])
    sizes = look(run, reader, str(source), writer, sizes)
    assert counts(run.path) == {1: (1, 2, 1)}
    sizes = look(run, reader, str(source), writer, sizes)
    sizes = look(run, reader, str(source), writer, sizes)
    assert counts(run.path) == {1: (1, 2, 1), 2: (1, 1, 1)}, "read once"
    run.step_file("rewards", 1).touch()
    (source / "1.jsonl").write_text("")
    dump(1, [1, 1, 1])
    sizes = look(run, reader, str(source), writer, sizes)
    look(run, reader, str(source), writer, sizes)
    assert counts(run.path)[1] == (1, 3, 3), "the trainer was resumed and wrote the step again"


def test_a_step_of_several_files_is_followed_whole(tmp_path):
    """AReaL's layout: a file a task, below the version's folder."""
    run, source = RunDir(tmp_path / "run"), tmp_path / "rollout"
    reader, writer = Reader(FORMATS["areal"], {}, False, None), LiveWriter(run.path)
    (source / "3").mkdir(parents=True)
    sizes: dict = {}
    for task in range(2):
        row = {"prompt": f"q{task}", "completion": "x", "reward": 1.0, "head_version": 3, "tail_version": 3}
        (source / "3" / f"{task}.jsonl").write_text(json.dumps(row) + "\n")
        for _ in range(3):
            sizes = look(run, reader, str(source), writer, sizes)
        assert counts(run.path) == {3: (task + 1, task + 1, task + 1)}
