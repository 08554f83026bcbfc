"""New problems, and runs side by side."""

import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.report.figures.base import columns, records
from openrlhf_unlearn.report.figures.interventions import (
    AUGMENTATION,
    COMPARED_PASS_RATES,
    COMPARED_REWARDS,
    COMPARED_STAGES,
    VARIANTS,
    chain,
)
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.store.probes import Variants
from openrlhf_unlearn.store.run_dir import RunDir, read_table, write_table
from tests.report.worlds import prompts, start, train
from tests.tables import of_dicts


def test_originals_and_new_problems_are_told_by_their_datasource(tmp_path):
    made = prompts(4, ("unlearnable", "learnable"))
    run = start(tmp_path / "run", made)
    train(run, made, 3)
    assert AUGMENTATION.data(Material([run])) is None
    kinds = ["original" if p.kind == "unlearnable" else "similar" for p in made]
    table = read_table(run.prompts)
    write_table(run.prompts, table.set_column(table.column_names.index("datasource"), "datasource", pa.array(kinds)))
    rows = {(row["kind"], row["step"]): row["mean"] for row in records(AUGMENTATION.data(Material([run])))}
    assert rows["similar", 3.0] > 0.7 > 0.3 > rows["original", 3.0]


def test_an_original_that_is_visited_more_than_once_counts_once():
    row, rate = np.tile(np.arange(3), 4), np.tile([0.0, 0.5, 1.0], 4)
    visits = SimpleNamespace(row=row, step=row * 0 + 1, pass_rate=rate)
    prompts_ = SimpleNamespace(datasource=["original", "original", "similar"])
    material = SimpleNamespace(visits=visits, prompts=prompts_)
    rows = {found["kind"]: found for found in records(AUGMENTATION.data(material))}
    assert (rows["original"]["prompts"], rows["original"]["mean"]) == (2, 0.25)
    assert (rows["similar"]["prompts"], rows["similar"]["low"]) == (1, None)


def test_variants_count_an_original_once(run, tmp_path):
    run = RunDir(shutil.copytree(run.path, tmp_path / "run"))
    names = [p.id for p in prompts(12) if p.kind == "unlearnable"]
    values = [(names[0], 0.2), (names[0], 0.4), (names[1], 0.5)]
    rows = [
        {"prompt_id": name, "variant_id": str(i), "group": "", "cosine": cosine, "mean_cosine": 0.1}
        for i, (name, cosine) in enumerate(values)
    ]
    of_dicts(Variants, rows).write(run, "initial")
    found = {row["measure"]: row for row in records(VARIANTS.data(Material([run])))}
    assert found["cosine"]["prompts"] == 2 and found["cosine"]["mean"] == pytest.approx((0.3 + 0.5) / 2)
    assert "cosine_corrected" not in found, "none had enough rollouts"


def test_a_run_that_trained_on_one_group_alone_is_named():
    rows = [("easy", "all"), ("unlearnable", "all"), ("unlearnable", "alone")]
    row = {"step": 1, "pass_rate": 0.5, "low": 0.4, "high": 0.6}
    figure = plt.figure(layout="constrained")
    COMPARED_REWARDS.draw(figure, columns([{**row, "group": group, "run": run} for group, run in rows]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["all", "alone"]
    plt.close(figure)


def test_stages_follow_each_others_models(tmp_path):
    made = prompts(3)
    models = {"base": ("m0", "m1"), "two": ("a", "b"), "one": ("m0", "a")}
    runs = []
    for name, (before, after) in models.items():
        args = {"actor": {"model_name_or_path": before}, "ckpt": {"output_dir": after}}
        runs.append(start(tmp_path / name, made, args=args))
        train(runs[-1], made, 3)
    material = Material(runs[:1], compared=runs)
    assert [single.first.path.name for single in chain(material)] == ["one", "two"]
    data = COMPARED_STAGES.data(material)
    assert min(s for s, stage in zip(data["step"], data["stage"], strict=True) if stage == 2) == 4
    assert chain(Material(runs[:1], compared=runs[:2])) == []


@pytest.mark.parametrize(
    ("group", "low", "counted"),
    [("unlearnable", 0.01, 1), ("unlearnable", -0.01, 0), ("unlearnable", None, 0), ("learnable", 0.01, 0)],
)
def test_an_intervention_counts_where_the_interval_of_the_unlearnable_lies_above_zero(group, low, counted):
    row = {"group": group, "run": "b", "prompts": 9, "pass_rate": 0.2, "difference": 0.1, "low": low, "high": 0.3}
    said = Say(*COMPARED_PASS_RATES.caption(None, columns([row, {**row, "run": "c", "low": -0.2}])), "").text
    assert f"For {counted} of 2 interventions the interval" in said
