"""The numbers behind the figures, from runs whose answer is known."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.figures import (
    acceptance,
    all_figures,
    augmentation,
    compared_rewards,
    interference,
    likelihood,
    reasoning,
    similarity,
    similarity_groups,
    similarity_over_probes,
    similarity_prompts,
    stages,
    turnover,
    variants,
)
from openrlhf_unlearn.report.figures.base import columns, records
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.probes import outdated, outliers, separation
from openrlhf_unlearn.store.probes import Variants
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_table
from tests.report.worlds import classify, prompts, start, train, whole_run
from tests.tables import of_dicts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = whole_run(tmp_path_factory.mktemp("figures") / "run")
    classify(run)
    return run


@pytest.fixture(scope="module")
def material(run):
    return Material([run])


def test_every_figure_has_a_name_of_its_own_and_says_what_it_needs():
    names = [figure.name for figure in all_figures()]
    assert len(set(names)) == len(names) and all(figure.needs and figure.title for figure in all_figures())


def test_similarity_counts_every_probed_prompt_once(material):
    rows = records(similarity.data(material))
    for kind in ("plain", "corrected"):
        for group in ("easy", "learnable", "unlearnable"):
            mine = [row for row in rows if (row["cosine"], row["group"]) == (kind, group)]
            values = getattr(material.probe, kind)[material.groups == group]
            assert sum(row["here"] for row in mine) == 12
            assert mine[0]["mean"] == pytest.approx(np.nanmean(values))


def test_groups_against_groups_are_the_probes_own_numbers(run, material):
    data = similarity_groups.data(material)
    assert data["corrected"] == [row["corrected"] for row in read_json(run.probe_json("initial"))["group_matrix"]]


def test_prompts_against_prompts_are_cosines_in_blocks(material):
    data = similarity_prompts.data(material)
    names = data["prompt_id"]
    grid = np.array([data[name] for name in names])
    assert data["group"] == sorted(data["group"], key=["easy", "learnable", "unlearnable"].index) and len(names) == 36
    np.testing.assert_allclose(grid, grid.T)
    np.testing.assert_allclose(np.diag(grid), 1, atol=1e-3)
    assert grid[:24, :24].mean() > 0.5 > abs(grid[24:, :24].mean())


def test_checkpoints_and_models_are_told_apart(material):
    training = similarity_over_probes.over_training(material)
    assert list(dict.fromkeys(training["probe"])) == ["initial", "final"]
    models = similarity_over_probes.over_models(material)
    assert list(dict.fromkeys(zip(models["probe"], models["model"], strict=True))) == [
        ("initial", "m"), ("midtrained", "other")
    ]  # fmt: skip


def test_interference_is_the_mean_over_prompts(run, material):
    rows = {(row["measure"], row["group"]): row for row in records(interference.data(material))}
    table = read_table(run.probe_table("interference", "initial")).to_pylist()
    groups = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    mine = [row["correct_batch"] for row in table if groups[row["prompt_id"]] == "easy"]
    assert rows["correct_batch", "easy"]["mean"] == pytest.approx(np.mean(mine)) and len(mine) == 12


def test_likelihood_is_the_mean_of_a_step(run, material):
    groups = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    table = read_table(run.step_file("likelihood", 2)).to_pylist()
    mine = [row["reference_log_likelihood"] for row in table if groups[row["prompt_id"]] == "learnable"]
    found = next(
        row for row in records(likelihood.data(material))
        if (row["model"], row["group"], row["step"]) == ("reference", "learnable", 2)
    )  # fmt: skip
    assert found["mean"] == pytest.approx(np.mean(mine)) and found["prompts"] == len(mine)


def test_reasoning_counts_a_rollout_once(material):
    rows = {(row["evaluation"], row["group"]): row for row in records(reasoning.data(material))}
    poor = rows["initial", "unlearnable"]
    assert poor["mean"] == pytest.approx(4 / 3) and poor["rollouts"] == 12 and poor["share_1"] == 1
    assert rows["final", "easy"]["mean"] == pytest.approx(13 / 3) and ("initial", "no_reward") not in rows


def test_acceptance_is_of_runs_with_a_filter():
    visits = SimpleNamespace(step=np.ones(2), accepted=np.zeros(2, bool), reason=np.array([None, None], dtype=object))
    assert acceptance.data(SimpleNamespace(visits=visits)) is None
    visits.reason[:] = "constant_reward"
    assert acceptance.data(SimpleNamespace(visits=visits)) is not None


def test_turnover_needs_a_clear_fall():
    rewards = np.array([0.3, 0.6, 0.4, 0.1, 0.4, 0.5, 0.9])
    start_ = np.array([True, False, False, False, False, False, True])
    assert turnover.solved_state(rewards, start_).tolist() == [0, 1, 1, 0, 0, 1, 1]


def test_originals_and_new_problems_are_told_by_their_datasource(tmp_path):
    made = prompts(4, ("unlearnable", "learnable"))
    run = start(tmp_path / "run", made)
    train(run, made, 3)
    assert augmentation.data(Material([run])) is None
    kinds = ["original" if p.kind == "unlearnable" else "similar" for p in made]
    table = read_table(run.prompts)
    write_table(run.prompts, table.set_column(table.column_names.index("datasource"), "datasource", pa.array(kinds)))
    rows = {(row["kind"], row["step"]): row["mean"] for row in records(augmentation.data(Material([run])))}
    assert rows["similar", 3.0] > 0.7 > 0.3 > rows["original", 3.0]


def test_variants_count_an_original_once(run):
    names = [p.id for p in prompts(12) if p.kind == "unlearnable"]
    values = [(names[0], 0.2), (names[0], 0.4), (names[1], 0.5)]
    rows = [
        {"prompt_id": name, "variant_id": str(i), "group": "", "cosine": cosine, "mean_cosine": 0.1}
        for i, (name, cosine) in enumerate(values)
    ]
    of_dicts(Variants, rows).write(run, "initial")
    found = {row["measure"]: row for row in records(variants.data(Material([run])))}
    assert found["cosine"]["prompts"] == 2 and found["cosine"]["mean"] == pytest.approx((0.3 + 0.5) / 2)
    assert "cosine_corrected" not in found, "none had enough rollouts"


def test_a_run_that_trained_on_one_group_alone_is_named():
    rows = [("easy", "all"), ("unlearnable", "all"), ("unlearnable", "alone")]
    row = {"step": 1, "pass_rate": 0.5, "low": 0.4, "high": 0.6}
    figure = plt.figure(layout="constrained")
    compared_rewards.FIGURE.draw(figure, columns([{**row, "group": group, "run": run} for group, run in rows]))
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
    assert [single.first.path.name for single in stages.chain(material)] == ["one", "two"]
    data = stages.data(material)
    assert min(s for s, stage in zip(data["step"], data["stage"], strict=True) if stage == 2) == 4
    assert stages.chain(Material(runs[:1], compared=runs[:2])) == []


def test_the_answer_takes_the_noise_out(material):
    found = separation(material)
    assert found["kind"] == found["mean_kind"] == "corrected" and found["auc"] == 1
    report = {"groups": {}, "labelled": 0, "hard": 0, "easy": 0.1, "prompts": 48, "advice": [], "provisional": False}
    said = " ".join(say.text for say in answer(report, material, found))
    assert "The gradients tell them apart: the mean cosine to all others (the noise of few rollouts taken out)" in said


def test_outliers_are_the_unlearnable(material):
    marked = outliers(material)
    assert marked[material.groups == "unlearnable"].mean() > 0.4
    assert not marked[np.isin(material.groups, ("easy", "learnable"))].any()


def test_a_probe_of_older_labels_is_said_to_be(run):
    assert outdated(Material([run])) == {}
    table, changed = Learnability.read(run), Material([run])
    changed.learnability = table.replacing(group=["mixed" if group == "easy" else group for group in table.group])
    assert set(outdated(changed)) == {"initial", "midtrained", "final"}
