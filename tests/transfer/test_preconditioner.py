"""Adam's state out of real DeepSpeed checkpoints, and the map by gradients that it scales."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.checkpoints import second_moments
from openrlhf_unlearn.probe.store import load
from openrlhf_unlearn.store.run_dir import read_json, read_table
from openrlhf_unlearn.transfer.preconditioner import SMALLEST, preconditioner
from tests.gpu import GPUS
from tests.probe.runs import make_run, save_model

pytest.importorskip("deepspeed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(GPUS > 0, reason="DeepSpeed's Adam was compiled for the GPU")]
SCRIPT = Path(__file__).with_name("adam_checkpoints.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """model, run (probed) and checkpoints of the model, trained a little: zero-0, zero-2."""
    here = tmp_path_factory.mktemp("adam")
    run, model = make_run(here / "run", per_group=8), save_model(here / "model")
    assert cli.main(["probe", "--model", str(model), "--run", str(run), "--tag", "initial", "--dtype", "float32"]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SCRIPT, here]
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*map(str, launch)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return here


def test_each_weights_state_is_found_by_its_values_on_any_number_of_ranks(folder):
    known = {name: moment.numpy() for name, moment in torch.load(folder / "moments.pt").items()}
    whole, sharded = (second_moments(folder / f"zero-{stage}") for stage in (0, 2))
    assert whole.keys() == sharded.keys() <= known.keys() and len(whole) > 5
    for name, moment in sharded.items():
        np.testing.assert_array_equal(moment, known[name])
        # Without ZeRO the gradients are rounded to bfloat16 once more.
        assert np.corrcoef(whole[name].ravel(), known[name].ravel())[0, 1] > 0.99, name


def test_outputs_are_scaled_by_what_adam_divides_them_by(folder):
    _, facts = load(folder / "run" / "probes" / "initial" / "gradients.safetensors")
    scale = preconditioner(str(folder / "zero-2"), facts["settings"])
    assert scale.shape == (facts["dim"],) and np.mean(scale.astype(float) ** 2) == pytest.approx(1)
    rank, at, roots = facts["settings"]["rank"], 0, []
    moments = torch.load(folder / "moments.pt")
    for name in (n for n in moments if n.endswith(("q_proj.weight", "v_proj.weight"))):  # PEFT's choice, in their order
        root = moments[name].numpy().mean(1) ** 0.5
        mine = scale[at : at + root.size * rank].reshape(root.size, rank)
        assert (mine == mine[:, :1]).all(), "one number an output"
        roots.append((root, mine[:, 0]))
        at += mine.size
    assert at == facts["dim"]
    root, mine = (np.concatenate(each) for each in zip(*roots, strict=True))
    np.testing.assert_allclose(
        mine**2 * np.maximum(root, SMALLEST * np.median(root)), mine[0] ** 2 * root[0], rtol=1e-4
    )


def test_the_map_is_of_scaled_gradients_and_of_the_same_where_all_are_scaled_alike(folder, capsys):
    run = folder / "run"
    clusters = folder / "clusters.json"
    rows = read_table(run / "learnability.parquet").to_pylist()
    clusters.write_text(str({row["prompt_id"]: row["group"] for row in rows}).replace("'", '"'))

    def values(*words: str) -> np.ndarray:
        assert cli.main(["transfer", str(run), "--clusters", str(clusters), *words]) == 0, capsys.readouterr().err
        return np.array(read_table(run / "transfer" / "initial.parquet").column("value").to_pylist())

    plain, adam = values(), values("--preconditioner", str(folder / "zero-2"))
    assert read_json(run / "transfer" / "initial.json")["settings"]["preconditioner"] == str(folder / "zero-2")
    assert not np.allclose(plain, adam, rtol=0.01)
    shutil.copytree(folder / "zero-0", folder / "alike")
    (path,) = (folder / "alike").glob("global_step*/*model_states.pt")
    held = torch.load(path, weights_only=False)
    for state in held["optimizer"]["optimizer_state_dict"]["state"].values():
        state["exp_avg_sq"].fill_(3e-6)
    torch.save(held, path)
    np.testing.assert_allclose(values("--preconditioner", str(folder / "alike")), plain, rtol=1e-4)


def test_what_has_no_state_or_another_models_is_refused_in_a_line(folder, tmp_path):
    settings = load(folder / "run" / "probes" / "initial" / "gradients.safetensors")[1]["settings"]
    with pytest.raises(UserError, match="is no DeepSpeed checkpoint up to ZeRO 2"):
        preconditioner(str(folder / "model"), settings)
    with pytest.raises(UserError, match="goes with a probe of a fresh adapter"):
        preconditioner(str(folder / "zero-2"), {**settings, "full": True})
    with pytest.raises(UserError, match="as the probed model; another model?"):
        other = AutoConfig.from_pretrained(folder / "model")
        other.update({"hidden_size": 32})
        other.save_pretrained(tmp_path / "other")
        preconditioner(str(folder / "zero-2"), {**settings, "model": str(tmp_path / "other")})
    (path,) = (folder / "zero-2").glob("global_step*/mp_rank_00_model_states.pt")
    (tmp_path / "alone").mkdir()
    shutil.copy(path, tmp_path / "alone")
    with pytest.raises(UserError, match="has no state of Adam beside its weights"):
        second_moments(tmp_path / "alone")
    for words in (["--verify", "0"], ["--clusters", "gradients"]):
        assert cli.main(["transfer", str(folder / "run"), "--preconditioner", "x", *words]) == 2
