"""Groups by hand, every refusal's line, the paper's code as an oracle, and the command itself."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.labels.classify import classify, save
from openrlhf_unlearn.labels.groups import Thresholds, paper_groups
from openrlhf_unlearn.stats.agreement import fleiss_kappa
from openrlhf_unlearn.stats.means import wilson
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import (
    GROUPS,
    read_json,
    read_table,
    update_summary,
    write_json,
    write_table,
)
from tests.labels.runs import evaluation_table, ids, make_run, outcomes

# easy, learnable, unlearnable, no_reward, mixed, ungradable, never visited and low, exactly at the threshold (4/32)
INITIAL = [20, 1, 1, 0, 1, 0, 0, 0]
FINALS = ([32, 30, 2, 0, 30, 0, 1, 4], [32, 28, 3, 0, 1, 0, 0, 4])
EVER = ([8, 4, 1, 0, 4, 0, None, 2], [8, 4, 1, 1, 2, 0, None, 3])
EXPECTED = ["easy", "learnable", "unlearnable", "no_reward", "mixed", "ungradable", "unlearnable", "learnable"]


@pytest.fixture
def runs(tmp_path):
    return [
        make_run(tmp_path / f"run{i}", INITIAL, FINALS[i], EVER[i], seed=i, verdicts={5: "bad_label"}) for i in (0, 1)
    ]


def groups_of(result) -> list[str]:
    return result.table.column("group").to_pylist()


def test_every_group(runs):
    result = classify([run.path for run in runs])
    assert groups_of(result) == EXPECTED
    assert result.table.schema.names[: len(Learnability.schema)] == Learnability.schema.names
    assert result.table.select(Learnability.schema.names).schema == Learnability.schema
    rows = result.table.to_pylist()
    assert rows[4]["final_pass_rate"] == pytest.approx(31 / 64)
    assert [row["ever_positive"] for row in rows] == [True, True, True, False, True, False, None, True]
    assert rows[4]["group_run0"] == "learnable" and rows[4]["group_run1"] == "unlearnable"
    assert rows[4]["run_agreement"] == 0.5 and rows[2]["run_agreement"] == 1.0
    assert rows[5]["label_confidence"] is None
    for row in rows:
        assert row["p_easy"] + row["p_unlearnable"] + row["p_learnable"] + row["p_mixed"] == pytest.approx(1)
        assert row["initial_low"] <= row["initial_high"] and row["final_low"] <= row["final_high"]
    assert rows[1]["p_below_tau"] < 0.01 < 0.5 < rows[2]["p_below_tau"]


def test_learned_without_a_reward_is_learned(tmp_path, capsys):
    """Prompts that went from 0 to 30 of 32 though training never rewarded, or never visited, them: transfer."""
    finals, ever = [30, 30, 30, 1, 1, 30], [0, None, 4, 0, 4, 0]
    run = make_run(tmp_path / "run", [0] * 6, finals, ever)
    result = classify([run.path])
    assert groups_of(result) == ["learnable"] * 3 + ["no_reward", "unlearnable", "learnable"]
    rows = result.table.to_pylist()
    assert [row["runs_visited"] for row in rows] == [1, 0, 1, 1, 1, 1]
    assert [row["runs_rewarded"] for row in rows] == [0, 0, 1, 0, 1, 0]
    assert result.summary["learned_without_reward"] == {
        "prompts": 3, "visited": 2, "not_visited": 1, "improved": 3
    }  # fmt: skip
    assert rows[3]["label_confidence"] == rows[3]["p_unlearnable"]
    assert cli.main(["classify", str(run)]) == 0
    said = "never sampled a positive of them: 2; never sampled them at all: 1; of both, surely improved in every run"
    assert f"{said} (P >= 0.9), so by transfer: 3" in capsys.readouterr().out
    shares = [row["expected_share"] for name, row in result.summary["hard"].items() if name != "n"]
    assert sum(shares) == pytest.approx(1)


def test_nothing_is_said_of_transfer_where_there_was_none(tmp_path, capsys):
    run = make_run(tmp_path / "run", [0] * 4, [30, 30, 1, 1], [1, 2, 0, 3])
    assert cli.main(["classify", str(run)]) == 0
    assert "transfer" not in capsys.readouterr().out


@pytest.mark.parametrize("runs", [1, 2])
def test_luck_is_no_transfer(tmp_path, runs):
    """Pass rates that did not change, of prompts without a reward: many are learnable by luck, none has improved."""
    rng = np.random.default_rng(0)
    rates, paths = rng.uniform(0.02, 0.12, 300), [tmp_path / str(run) for run in range(runs)]
    initial = rng.binomial(32, rates)
    for seed, path in enumerate(paths):
        make_run(path, initial, rng.binomial(32, rates), [0] * 300, seed=seed)
    learned = classify(paths).summary["learned_without_reward"]
    assert learned["prompts"] >= 10 and learned["improved"] == 0


def test_transfer_in_one_run_alone_is_none_of_the_other(tmp_path):
    """What rose in the run that rewarded it, and may not have in the run that did not, is not counted."""
    finals, ever = ([30] * 6, [4] * 6), ([4] * 6, [0] * 6)
    paths = [make_run(tmp_path / str(i), [3] * 6, finals[i], ever[i], seed=i).path for i in range(2)]
    learned = classify(paths).summary["learned_without_reward"]
    assert learned["prompts"] == 6 and learned["improved"] == 0


def test_a_run_that_never_visited_a_prompt_tells_nothing_of_its_rewards(tmp_path):
    runs = [make_run(tmp_path / str(i), [0, 0], [1, 1], ever, seed=i) for i, ever in enumerate(([None, 0], [3, None]))]
    assert groups_of(classify([run.path for run in runs])) == ["unlearnable", "no_reward"]


def test_learned_in_one_run_and_never_rewarded_in_another_is_mixed(tmp_path):
    runs = [make_run(tmp_path / str(i), [0], [f], [e], seed=i) for i, (f, e) in enumerate(((30, 4), (1, 0)))]
    assert groups_of(classify([run.path for run in runs])) == ["mixed"]


def test_shares_are_of_the_hard_prompts(runs):
    hard = classify([run.path for run in runs]).summary["hard"]
    assert hard["n"] == 6
    assert {name: round(hard[name]["share"] * 6) for name in hard if name != "n"} == {
        "learnable": 2,
        "unlearnable": 2,
        "no_reward": 1,
        "mixed": 1,
    }
    low, high = hard["learnable"]["interval"]
    assert low < 1 / 3 < high


def test_one_run_alone_has_no_mixed(runs):
    result = classify([runs[0].path])
    assert "mixed" not in groups_of(result)
    assert result.summary["agreement"]["fleiss_kappa"] is None


def test_thresholds_move_the_groups(runs):
    paths = [run.path for run in runs]
    assert groups_of(classify(paths, tau=0.13))[7] == "unlearnable"
    assert groups_of(classify(paths, easy=0.03))[1] == "easy"
    rows = classify(paths).summary["sensitivity"]
    assert {row["varied"] for row in rows} == {"tau", "easy", "n"}
    full = next(row for row in rows if row["varied"] == "n" and row["value"] == 32)
    assert full["unlearnable"] == pytest.approx(2 / 6)


def test_command_writes_into_every_run_and_keeps_the_summary(runs, capsys):
    update_summary(runs[0], "other", {"kept": 1})
    assert cli.main(["classify", *(str(run) for run in runs)]) == 0
    printed = capsys.readouterr().out
    assert "unlearnable" in printed and "kappa" in printed
    assert read_table(runs[0].learnability).equals(read_table(runs[1].learnability))
    summary = read_json(runs[0].summary)
    assert summary["other"] == {"kept": 1} and summary["classify"]["prompts"] == 8
    assert "classify" in read_json(runs[1].summary)


# The paper's code, restated from its description: sets over dicts, a prompt without samples is simply not there.


def paper_code(initial: dict, finals: list[dict], best_means: list[dict], tau: float) -> dict[str, set]:
    def flagged(scores: dict) -> set:
        return {q for q, values in scores.items() if sum(values) / len(values) <= tau}

    never = set().union(*({q for q, best in run.items() if best == 0} for run in best_means))
    everywhere = set.intersection(*(flagged(run) for run in finals))
    anywhere = set.union(*(flagged(run) for run in finals))
    return {
        "unlearnable": everywhere - never,
        "learnable": flagged(initial) - anywhere,
        "no_reward": never,
        "easy": set(initial) - flagged(initial),
    }


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31))
def test_paper_code_rule_prompt_by_prompt(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    tmp = tmp_path_factory.mktemp("rule")
    size, n = 40, 20  # 2 of 20 is exactly tau: the rules differ there
    initial = rng.choice([0, 1, 2, 3, 10], size)
    finals = [rng.choice([0, 1, 2, 3, 15], size) for _ in range(3)]
    ever = [[None if rng.random() < 0.1 else int(rng.choice([0, 3])) for _ in range(size)] for _ in range(3)]
    made = [make_run(tmp / f"r{i}", initial, finals[i], ever[i], n=n, seed=i) for i in range(3)]
    names = ids(size)
    expected = paper_code(
        {names[i]: [1] * c + [0] * (n - c) for i, c in enumerate(initial)},
        [{names[i]: [1] * c + [0] * (n - c) for i, c in enumerate(final)} for final in finals],
        [{names[i]: c for i, c in enumerate(run) if c is not None} for run in ever],
        0.1,
    )
    table = classify([run.path for run in made], rule="paper-code").table
    for name, members in expected.items():
        mask = table.column(f"paper_code_{name}").to_numpy(zero_copy_only=False)
        assert set(np.array(names)[mask]) == members
    # Where the rules agree (no rate exactly at tau, no easy prompt in another set) they give the same groups.
    ours = dict(zip(names, groups_of(classify([run.path for run in made])), strict=True))
    at_tau = {names[i] for i in range(size) if 2 in (initial[i], *(final[i] for final in finals))}
    for name, members in expected.items():
        others = set().union(*(expected[other] for other in expected if other != name))
        for prompt in members - at_tau - others:
            if name == "no_reward" and any(final[names.index(prompt)] >= 2 for final in finals):
                assert ours[prompt] in ("learnable", "mixed")  # learned all the same, which the code does not ask
            else:
                assert ours[prompt] == name


@pytest.mark.parametrize("rule", ["paper", "paper-code"])
def test_never_rewarded_is_never_positive_on_any_scale_of_rewards(tmp_path, rule):
    run = make_run(tmp_path / "run", [0] * 3, [0] * 3, ever=[0, 4, 2])
    before = groups_of(classify([run.path], rule=rule))
    for step in run.steps():
        path = run.step_file("rewards", step)
        of_two = pc.subtract(pc.multiply(read_table(path)["mean_reward"], 2.0), 1.0)
        write_table(path, set_column(read_table(path), "mean_reward", of_two.combine_chunks()))
    assert groups_of(classify([run.path], rule=rule)) == before == ["no_reward", "unlearnable", "unlearnable"]


def test_the_threshold_is_kept_and_another_one_of_training_is_said(runs, capsys):
    paths = [str(run) for run in runs]
    assert cli.main(["classify", *paths, "--threshold", "0.3"]) == 0
    said = capsys.readouterr().out
    assert f"note: {runs[0]}: training counted rewards above 0.5 as positive" in said and "above 0.3" in said
    assert read_json(runs[1].summary)["classify"]["threshold"] == 0.3
    assert cli.main(["classify", paths[0]]) == 0 and "above 0.3" in capsys.readouterr().out
    assert cli.main(["classify", paths[0], "--threshold", "0.5"]) == 0 and "note:" not in capsys.readouterr().out
    refused(runs, "were classified with --threshold 0.5 and 0.3; say which one holds for both: --threshold")


# Bad input ---------------------------------------------------------------------------------------------------------


def change_evaluation(run, change, tag="final"):
    write_table(run.evaluation(tag), change(read_table(run.evaluation(tag))))


def set_column(table: pa.Table, name: str, values) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


def refused(runs, match, **options):
    with pytest.raises(UserError, match=match) as raised:
        classify([run.path for run in runs], **options)
    assert "\n" not in str(raised.value)


def test_refuses_different_data(runs, tmp_path):
    other = make_run(tmp_path / "other", [0, 1], [0, 30], seed=5)
    refused([runs[0], other], "different data: 2 prompts are in both, 8 and 2")


def test_refuses_different_models(runs):
    write_json(runs[1].run_json, {**read_json(runs[1].run_json), "model": "another"})
    refused(runs, "different models, 'm' and 'another'")


@pytest.mark.parametrize("tag", ["initial", "final"])
def test_refuses_missing_evaluations(runs, tag):
    for run in runs:
        run.evaluation(tag).unlink()
    refused(runs, f"{tag}.parquet is missing; make it: openrlhf-unlearn evaluate --run .* --tag {tag}")


def test_refuses_uneven_samples_unless_told(runs):
    change_evaluation(runs[1], lambda table: table.slice(5))
    refused(runs, "between 27 and 32 samples a prompt; finish it")
    assert groups_of(classify([run.path for run in runs], allow_uneven=True)) == EXPECTED


def test_leaves_out_prompts_without_samples_only_if_told(runs):
    change_evaluation(runs[1], lambda table: table.slice(32))
    refused(runs, "no samples of 1 prompt;")
    result = classify([run.path for run in runs], allow_uneven=True)
    assert groups_of(result) == EXPECTED[1:] and result.summary["left_out"] == 1


def test_refuses_unknown_columns(runs):
    change_evaluation(runs[0], lambda table: table.rename_columns(["id", *table.column_names[1:]]))
    refused(runs, "no column 'prompt_id'; it has id, sample")


def test_refuses_truncated_files(runs):
    path = runs[1].evaluation("final")
    path.write_bytes(path.read_bytes()[:-50])
    refused(runs, "final.parquet cannot be read")
    runs[0].run_json.write_text('{"schema_version": 1')
    refused(runs, "run.json is not valid JSON")


def test_refuses_nan_rewards(runs):
    change_evaluation(runs[0], lambda t: set_column(t, "reward", [float("nan"), *t.column("reward").to_pylist()[1:]]))
    refused(runs, "1 rewards that are no finite numbers")


def test_refuses_nan_in_training_rewards(runs):
    table = read_table(runs[1].step_file("rewards", 1))
    write_table(runs[1].step_file("rewards", 1), set_column(table, "mean_reward", [float("nan")] * table.num_rows))
    refused(runs, "mean rewards that are no finite numbers")


def test_refuses_an_empty_evaluation(runs):
    change_evaluation(runs[0], lambda t: t.slice(0, 0))
    refused(runs, "has no samples")


def test_refuses_rewards_that_are_text(runs):
    change_evaluation(runs[0], lambda t: set_column(t, "reward", ["good"] * t.num_rows))
    refused(runs, "holds string, not numbers")


def test_a_broken_summary_stops_it_before_any_run_is_changed(runs, capsys):
    runs[1].summary.write_text('{"classify": ')
    assert cli.main(["classify", *(str(run) for run in runs)]) == 1
    assert "summary.json is not valid JSON" in capsys.readouterr().err
    assert not runs[0].learnability.exists() and not runs[0].summary.exists()


def test_refuses_the_same_run_twice(runs, tmp_path):
    refused([runs[0], runs[0]], "are the same run")
    copy = make_run(tmp_path / "copy", INITIAL, FINALS[0], EVER[0], seed=0, verdicts={5: "bad_label"})
    refused([runs[0], copy], "are the same run")


def test_asks_for_a_threshold_where_rewards_are_not_binary(runs):
    for run in runs:
        change_evaluation(run, lambda t: set_column(t, "reward", [0.4 * r for r in t.column("reward").to_pylist()]))
    refused(
        runs,
        "rewards other than 0 and 1 .such as 0.4.; say above which one is positive: "
        "openrlhf-unlearn classify .*run0 --threshold 0.5",
    )
    change = {"initial": lambda t: set_column(t, "reward", [0.4 * r for r in t.column("reward").to_pylist()])}
    for run in runs:
        change_evaluation(run, change["initial"], "initial")
    assert groups_of(classify([run.path for run in runs], threshold=0.3)) == EXPECTED


def test_refuses_ids_that_match_nothing(runs):
    change_evaluation(runs[0], lambda t: set_column(t, "prompt_id", ["0" * 16] * t.num_rows))
    refused(runs, "no prompt of .*final.parquet is in prompts.parquet")


def test_nothing_is_written_when_refused(runs, capsys):
    runs[1].evaluation("final").unlink()
    assert cli.main(["classify", *(str(run) for run in runs)]) == 1
    assert not runs[0].learnability.exists() and not runs[0].summary.exists()
    assert cli.main(["classify", str(runs[0]), "--tau", "0"]) == 2


def test_adaptive_evaluations_may_be_uneven(runs):
    change_evaluation(runs[0], lambda table: table.slice(5))
    write_json(runs[0].evaluation_json("final"), {"adaptive": 0.05})
    summary = classify([run.path for run in runs]).summary
    assert summary["adaptive"] and not any(row["varied"] == "n" for row in summary["sensitivity"])


# Small parts ---------------------------------------------------------------------------------------------------------


def test_fleiss_kappa_by_hand():
    # Fleiss (1971) on 2 raters is Scott's pi: observed 0.75, chance 0.5 ** 2 + 0.5 ** 2.
    assert fleiss_kappa(np.array([[0, 0, 1, 1], [0, 0, 1, 0]])) == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64))
    assert fleiss_kappa(np.array([[0, 1], [0, 1], [0, 1]])) == pytest.approx(1)
    assert fleiss_kappa(np.array([[0, 0], [0, 0]])) is None


def test_wilson_interval_covers_its_share():
    rng = np.random.default_rng(0)
    shares = rng.binomial(60, 0.2, 2000) / 60
    covered = np.mean([low <= 0.2 <= high for low, high in (wilson(share, 60) for share in shares)])
    assert 0.93 < covered < 0.97


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20))
def test_every_prompt_has_exactly_one_group(rates):
    rates = np.array(rates)
    never = np.zeros((2, len(rates)), dtype=bool)
    group = paper_groups(rates[:, 0], rates[:, 1:].T, never, never[0], Thresholds())
    names = [GROUPS[number] for number in group]
    for (initial, *final), name in zip(rates, names, strict=True):
        assert (name == "easy") == (initial >= 0.1)
        assert (name == "mixed") == (initial < 0.1 and min(final) < 0.1 <= max(final))


def test_pooled_initial_evaluations_count_once(tmp_path):
    """Copies of one initial evaluation are one; two different ones add up."""
    a = make_run(tmp_path / "a", [1, 2], [0, 30], seed=0)
    b = make_run(tmp_path / "b", [1, 2], [1, 29], seed=1)
    assert classify([a.path, b.path]).table.column("n_initial").to_pylist() == [32, 32]
    write_table(b.evaluation("initial"), evaluation_table(outcomes([1, 2], seed=77)))
    result = classify([a.path, b.path])
    assert result.table.column("n_initial").to_pylist() == [64, 64]
    save(result, [a.path, b.path])
    assert read_table(a.learnability).num_rows == 2
