import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from openrlhf_unlearn import cli
from openrlhf_unlearn.probe import Rollouts, lora, prompt_gradients, store, work
from openrlhf_unlearn.probe.engine.gradients import Stream
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from tests.probe.models import oracle
from tests.probe.runs import make_run, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


def probe(model, run, *flags: str) -> int:
    return cli.main(["probe", "--model", str(model), "--run", str(run), "--tag", "initial", *flags])


def gradients(run: RunDir, name: str = "initial"):
    return store.load(run.gradients(name))[0]


def test_writes_what_the_report_reads(model, run, capsys):
    assert probe(model, run, "--dtype", "float64") == 0
    said = capsys.readouterr()
    assert "6 of 24 prompts have no correct rollout" in said.err
    assert "18 prompts, LoRA rank 16" in said.out
    table = read_table(run.probe_table("similarity", "initial"))
    assert table.num_rows == 18
    assert set(table.column("n_correct").to_pylist()) == {8, 4, 3}
    assert {"mean_cosine", "mean_cosine_corrected", "mean_cosine_corrected_easy"} <= set(table.column_names)
    assert np.isfinite(table.column("mean_cosine").to_numpy()).all()
    interference = read_table(run.probe_table("interference", "initial")).to_pylist()
    assert len(interference) == 18
    assert all(-1.001 <= row["within"] <= 1.001 for row in interference)
    numbers = read_json(run.probe_json("initial"))
    assert numbers["groups"]["easy"]["prompts"] == 6
    assert not run.probe_parts("initial").exists()


def test_gradients_are_those_of_autograd(model, run):
    from transformers import AutoModelForCausalLM

    assert probe(model, run, "--dtype", "float64", "--lora-rank", "4", "--lora-alpha", "8") == 0
    found = gradients(run)["incorrect"]
    name = found.ids[3]
    plain = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64, attn_implementation="eager")
    maps = {tap.module: tap.right for tap in lora(plain, 4, 8).taps}
    weights = [plain.get_submodule(module).weight.requires_grad_() for module in maps]
    prompt = dict(zip(*(read_table(run.prompts).column(c).to_pylist() for c in ("prompt_id", "prompt")), strict=True))
    tokenizer = work_tokenizer(model)
    table = read_table(run.evaluation("initial"))
    rows = table.filter(pc.and_(pc.equal(table["prompt_id"], name), pc.equal(table["reward"], 0.0)))
    ids = tokenizer(text=prompt[name], add_special_tokens=False)["input_ids"]
    each = [oracle(plain, weights, ids, tokens) for tokens in rows.column("response_tokens").to_pylist()]
    parts = torch.stack(each).mean(0).split([w.numel() for w in weights])
    expected = torch.cat(
        [(g.view_as(w) @ maps[m].double().T).flatten() for g, w, m in zip(parts, weights, maps, strict=True)]
    )
    ours = torch.tensor(found.mean[3:4][0])
    assert (ours - expected).norm() <= 1e-6 * expected.norm()


def work_tokenizer(model):
    from openrlhf_unlearn.evaluation.prompts import load_tokenizer

    return load_tokenizer(str(model))


def test_goes_on_where_it_was_killed(model, run, monkeypatch, capsys):
    whole = make_run(run.path.parent / "whole")
    assert probe(model, whole) == 0
    finished = work.GradientWorker.__call__
    monkeypatch.setattr("openrlhf_unlearn.probe.gather.PART", 4)
    calls = []

    def killed(self, rollouts):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(rollouts))
        return finished(self, rollouts)

    monkeypatch.setattr(work.GradientWorker, "__call__", killed)
    assert probe(model, run) == 130
    assert not run.gradients("initial").exists()
    monkeypatch.setattr(work.GradientWorker, "__call__", finished)
    capsys.readouterr()
    assert probe(model, run) == 0
    assert "2 of 5 parts are there" in capsys.readouterr().err
    for kind, expected in gradients(whole).items():
        found = gradients(run)[kind]
        assert found.ids == expected.ids
        assert np.allclose(found.mean[:], expected.mean[:], rtol=1e-4, atol=1e-6)


def test_a_finished_probe_only_analyses_again(model, run, monkeypatch):
    assert probe(model, run, "--per-group", "4") == 0
    labels = read_table(run.learnability).to_pydict()
    labels["group"] = ["easy" if group == "learnable" else group for group in labels["group"]]
    monkeypatch.setattr("openrlhf_unlearn.probe.gather.compute", None)  # would fail if called
    write_table(run.learnability, pa.table(labels))
    assert probe(model, run, "--per-group", "4") == 0
    assert read_json(run.probe_json("initial"))["groups"]["easy"]["prompts"] == 8


def test_other_settings_are_refused(model, run, capsys):
    assert probe(model, run) == 0
    assert probe(model, run, "--lora-rank", "8") == 1
    assert "rank 16, not 8" in capsys.readouterr().err


def test_text_alone_gives_the_same_gradients(model, run, tmp_path):
    other = make_run(tmp_path / "text", tokens=False)
    assert probe(model, run) == probe(model, other) == 0
    assert np.allclose(gradients(run)["correct"].mean[:], gradients(other)["correct"].mean[:])


def test_several_checkpoints(tmp_path, model, run, capsys):
    later = save_model(tmp_path / "later", seed=1)
    flags = ["probe", "--model", str(model), str(later), "--run", str(run), "--tag", "initial", "--name", "base", "mid"]
    assert cli.main(flags) == 0
    assert "plain (corrected): base, mid" in capsys.readouterr().out
    assert run.probe_tags() == ["base", "mid"]


def test_full_gradients_and_their_correlation_with_lora(model, run, capsys):
    assert probe(model, run, "--compare-full", "--project", "0") == 0
    result = read_json(run.probe_json("initial"))["against_full"]
    assert result["prompts"] == 18
    assert -1 <= result["correlation"] <= 1
    assert "against all parameters" in capsys.readouterr().out


def test_variants_are_held_against_their_originals(model, run, tmp_path):
    ids = [row["prompt_id"] for row in read_table(run.learnability).to_pylist() if row["group"] == "easy"]
    pairs = [{"prompt_id": ids[0], "variant_id": other} for other in ids[1:3]]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    assert probe(model, run, "--variants", str(tmp_path / "pairs.jsonl")) == 0
    rows = read_table(run.probe_table("variants", "initial")).to_pylist()
    assert [row["variant_id"] for row in rows] == ids[1:3]
    assert all(-1 <= row["cosine"] <= 1 for row in rows)


def test_variants_of_an_augmented_data_set(model, run, tmp_path):
    pytest.importorskip("openrlhf")  # prompts are made of rows as the host makes them
    originals = [row["prompt_id"] for row in read_table(run.learnability).to_pylist() if row["group"] == "easy"]
    other = make_run(tmp_path / "augmented", seed=5)
    config = read_json(other.run_json)
    config["args"]["data"] = {"prompt_dataset": "unused", "input_key": "prompt", "label_key": "label"}
    write_json(other.run_json, config)
    rows = [row for row in read_table(other.prompts).to_pylist()][:3]
    made = [{"prompt": row["prompt"], "label": "7", "origin": name} for row, name in zip(rows, originals, strict=False)]
    (tmp_path / "similar.jsonl").write_text("\n".join(map(json.dumps, made)))
    assert probe(model, other) == 0
    flags = ("--variants", str(tmp_path / "similar.jsonl"), "--variants-run", str(other))
    assert probe(model, run, *flags) == 0
    found = read_table(run.probe_table("variants", "initial")).to_pylist()
    assert [(row["prompt_id"], row["variant_id"]) for row in found] == [
        (name, row["prompt_id"]) for row, name in zip(rows, originals, strict=False)
    ]


@pytest.mark.slow
def test_workers_do_not_change_the_numbers(model, run, tmp_path):
    pytest.importorskip("ray")
    assert probe(model, run, "--dtype", "float64") == 0
    other = make_run(tmp_path / "other")
    assert probe(model, other, "--workers", "2", "--dtype", "float64") == 0
    for kind, expected in gradients(run).items():
        found = gradients(other)[kind]
        assert found.ids == expected.ids
        assert np.allclose(found.mean[:], expected.mean[:], rtol=1e-6, atol=1e-9)


# Bad input ---------------------------------------------------------------------------------------------------------


def refused(model, run, capsys, *flags: str) -> str:
    capsys.readouterr()
    assert probe(model, run, *flags) in (1, 2)
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("openrlhf-unlearn probe: ")][-1]


def test_one_clear_line(model, run, tmp_path, capsys):
    assert "no such evaluation (it has initial)" in refused(model, run, capsys, "--tag", "final")
    said = refused(model, run, capsys, "--target-modules", "c_attn")
    assert "no such module; its linear ones are down_proj" in said
    assert "no such folder" in refused(tmp_path / "nowhere" / "else", run, capsys)
    assert "exclude each other" in refused(model, run, capsys, "--full", "--adapter", "x")
    assert "--device nothing cannot be used" in refused(model, run, capsys, "--device", "nothing")
    assert "--temperature must be above 0" in refused(model, run, capsys, "--temperature", "0")
    assert "--workers -1: must not be negative" in refused(model, run, capsys, "--workers", "-1")
    assert "does not fit the model" in refused(model, run, capsys, "--adapter", str(tmp_path))


def test_tokens_of_another_model(model, run, capsys):
    table = read_table(run.evaluation("initial")).to_pydict()
    table["response_tokens"] = [[i % 40 for i in tokens][::-1] for tokens in table["response_tokens"]]
    write_table(run.evaluation("initial"), pa.table(table))
    assert "not of this model's tokenizer" in refused(model, run, capsys)
    table["response"] = ["a"] * len(table["response"])
    table["response"], table["response_tokens"] = [None, *table["response"][1:]], [[900]] * len(table["response"])
    table["response"] = pa.array([None] * (len(table["reward"]) - 1) + ["x"], pa.string())
    write_table(run.evaluation("initial"), pa.table(table))
    assert "does not fit the run's tokenizer" in refused(model, run, capsys)


def test_no_correct_rollout_at_all(model, run, capsys):
    table = read_table(run.evaluation("initial")).to_pydict()
    table["reward"] = [0.0] * len(table["reward"])
    write_table(run.evaluation("initial"), pa.table(table))
    assert "no prompt has a correct rollout" in refused(model, run, capsys)


def loaded(model, dtype="float64"):
    return work.load_model(str(model), dtype, "cpu")


PROMPTS = [
    Rollouts(f"p{i}", [3, 4 + i], {"correct": [[5, 6, 1], [7, 1], [8]], "incorrect": [[9, 1]]}) for i in range(4)
]


def test_a_gradient_that_is_not_finite_is_named_and_left_out(model, capsys):
    broken = loaded(model)
    broken.get_input_embeddings().weight.data[5] = float("nan")  # a token of p1's prompt alone
    prompts = [Rollouts(p.id, p.prompt, {"correct": [[8, 1]]}) for p in PROMPTS]
    found = prompt_gradients(broken, prompts, tokens=2)
    assert "prompt p1 has a gradient that is not finite" in capsys.readouterr().err
    assert found["correct"].ids == ["p0", "p2", "p3"]
    together = prompt_gradients(broken, prompts)
    assert together["correct"].ids == ["p0", "p2", "p3"]
    assert np.allclose(found["correct"].mean, together["correct"].mean)


def test_goes_on_in_smaller_packs_when_memory_runs_out(model, capsys):
    from openrlhf_unlearn.probe.engine.backward import Backward

    expected = prompt_gradients(loaded(model), PROMPTS)
    ours = loaded(model)
    backward = Backward(ours, lora(ours))

    class Small:
        """A device with room for ten tokens."""

        subspace, device = backward.subspace, backward.device

        def __call__(self, pieces):
            if sum(piece.n_tokens for piece in pieces) > 10:
                raise torch.OutOfMemoryError("out of memory")
            return backward(pieces)

        @property
        def states(self):
            return backward.states

    from openrlhf_unlearn.probe.engine.gradients import collect

    found = collect(Stream(Small(), units=16, tokens=1000)(PROMPTS))
    assert "out of memory; going on with packs of" in capsys.readouterr().err
    for kind in expected:
        assert np.allclose(found[kind].mean, expected[kind].mean)
        assert found[kind].ids == expected[kind].ids
        assert np.allclose(found[kind].states, expected[kind].states, atol=1e-5)


def test_units_share_a_prompt_without_changing_the_mean(model):
    prompts = [Rollouts("p", [3, 4, 5], {"correct": [[5, 6, 1], [7, 1], [8], [9, 9, 9, 9]]})]
    single, shared = (prompt_gradients(loaded(model), prompts, units=units)["correct"] for units in (4, 2))
    assert np.allclose(single.mean, shared.mean)
    assert shared.counts.tolist() == [[2, 2]]
    assert np.allclose(single.sketches.sum(1), shared.sketches.sum(1))


def test_advantages_as_weights(model):
    prompts = [
        Rollouts("p", [3, 4], {"all": [[5, 1], [6, 1]]}, {"all": [2.0, -1.0]}),
        Rollouts("q", [3, 4], {"a": [[5, 1]], "b": [[6, 1]]}),
    ]
    found = prompt_gradients(loaded(model), prompts)
    assert np.allclose(found["all"].mean[0], (2 * found["a"].mean[0] - found["b"].mean[0]) / 2)
