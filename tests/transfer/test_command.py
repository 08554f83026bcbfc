"""`transfer` on a small run whose model is random: the wiring, and that it says no more than there is."""

import json
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

import openrlhf_unlearn
from openrlhf_unlearn import cli
from openrlhf_unlearn.report.figures.base import render
from openrlhf_unlearn.report.figures.gradients import TRANSFER, transfer_sentences
from openrlhf_unlearn.store.probes import TransferMap
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json
from tests.probe.runs import make_run, save_model
from tests.transfer.test_trained_runs import trained


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """(run, model, FILE of clusters): a probed run."""
    folder = tmp_path_factory.mktemp("transfer")
    run, model = make_run(folder / "run", per_group=8), save_model(folder / "model")
    assert cli.main(["probe", "--model", str(model), "--run", str(run), "--tag", "initial", "--dtype", "float32"]) == 0
    groups = read_table(run.learnability).to_pylist()
    clusters = folder / "clusters.json"
    write_json(clusters, {row["prompt_id"]: row["group"] for row in groups})
    return run, clusters


def test_map_and_check_are_written_and_go_on_from_their_parts(probed, tmp_path, capsys):
    run, clusters = probed
    words = ["transfer", str(run), "--clusters", str(clusters), "--verify", "0", "--steps", "2", "--lr", "1e-3"]
    assert cli.main(words) == 0
    table, result = read_table(run.transfer_table("initial")), read_json(run.transfer_json("initial"))
    assert table.schema.names == TransferMap.schema.names
    assert {(row["trained"], row["changed"]) for row in table.to_pylist()} == {
        (a, b) for a in ("easy", "learnable", "unlearnable") for b in ("easy", "learnable", "unlearnable")
    }
    assert None not in table.column("measured").to_pylist()
    assert set(result["agreement"]) >= {"gradient", "cosine", "hidden states", "text", "same cluster"}
    assert cli.main(words) == 0
    assert read_table(run.transfer_table("initial")).equals(table)
    material = SimpleNamespace(first=run)
    svg = render(TRANSFER, TRANSFER.data(material), tmp_path, ())
    assert svg.startswith("<svg") and "unlearnable" in svg
    assert transfer_sentences(run) == result["sentences"] != []
    assert transfer_sentences(RunDir(tmp_path)) == []
    assert TRANSFER.data(SimpleNamespace(first=RunDir(tmp_path))) is None
    assert cli.main([*words, "--seed", "1"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "bring the same, or delete that folder" in line and len(line) < 400
    assert cli.main(words[:4]) == 1
    assert "holds a check by trainings on 3 clusters" in capsys.readouterr().err
    assert read_table(run.transfer_table("initial")).equals(table)
    moved = run.transfer_json("initial").rename(run.path / "transfer" / "initial.checked.json")
    assert cli.main(words[:4]) == 1
    assert "holds what trainings measured" in capsys.readouterr().err
    assert transfer_sentences(run) == []  # a map under another name is none of the probe's
    moved.unlink()
    run.transfer_table("initial").unlink()
    write_json(clusters.with_name("other.json"), {"x": "a", "y": "a"})
    assert cli.main([*words[:3], str(clusters.with_name("other.json"))]) == 1
    assert "none of its 2 prompt ids was probed" in capsys.readouterr().err


def test_one_datasource_and_grpo(probed, capsys):
    run, _ = probed
    found = openrlhf_unlearn.transfer(str(run), objective="grpo")
    assert found.path == run.transfer_table("initial") and found.about == read_json(run.transfer_json("initial"))
    (row,) = read_table(run.transfer_table("initial")).to_pylist()
    assert row["trained"] == row["changed"] == "test"
    assert row["low"] <= row["value"] <= row["high"]


def test_data_for_a_target_with_controls_of_equal_size(probed, tmp_path):
    run, _ = probed
    targets = f"{run.learnability}:unlearnable"
    assert cli.main(["transfer", str(run), "--for", targets, "--budget", "3", "--output", str(tmp_path / "a")]) == 0
    made = {name: lines(tmp_path / "a" / f"{name}.jsonl") for name in ("chosen", "random", "nearest")}
    assert len({len(rows) for rows in made.values()}) == 1
    assert all(row["prompt_id"] and row["response"] for row in made["chosen"])
    assert cli.main(["transfer", str(run), "--for", targets, "--output", str(tmp_path / "a")]) == 1  # it is there
    scores = [row["score"] for row in made["chosen"]]
    assert scores == sorted(scores, reverse=True) and all(score > 0 for score in scores)
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps({"prompt": f"A{i}=", "response": f"\\boxed{{{i}}}"}) + "\n" for i in range(9)))
    words = ["transfer", str(run), "--for", targets, "--from", str(pool), "--output", str(tmp_path / "b")]
    assert cli.main(words) == 0
    assert len(lines(tmp_path / "b" / "random.jsonl")) == len(lines(tmp_path / "b" / "chosen.jsonl")) <= 9


def test_a_run_evaluated_again_or_a_model_trained_in_place_is_told(tmp_path, capsys):
    run, model = make_run(tmp_path / "run"), save_model(tmp_path / "model")
    assert cli.main(["probe", "--model", str(model), "--run", str(run), "--tag", "initial", "--dtype", "float32"]) == 0
    assert cli.main(["transfer", str(run), "--verify", "0", "--trained", str(tmp_path / "none")]) == 1
    assert not run.transfer_parts("initial").exists(), "it trained before it had looked at the runs"
    save_model(model, seed=1)
    assert cli.main(["transfer", str(run), "--verify", "0"]) == 1
    assert "has changed since probe initial" in capsys.readouterr().err
    table = read_table(run.evaluation("initial"))
    pq.write_table(table.slice(10), run.evaluation("initial"))
    assert cli.main(["transfer", str(run)]) == 1
    assert "are others than those of probe initial" in capsys.readouterr().err


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_runs_that_trained_one_cluster_each_check_the_map_by_their_rewards(probed, tmp_path, capsys):
    run, clusters = probed
    names, kinds = read_json(clusters), ("easy", "learnable", "unlearnable")
    trains = {kind: [name for name in names if names[name] == kind][:4] for kind in kinds}
    others = [name for name in names if not any(name in ids for ids in trains.values())]
    runs = []
    for kind in kinds:
        rates = {name: 0.6 if names[name] == kind else 0.1 for name in others}
        runs.append(trained(tmp_path / kind, trains[kind], rates, dict.fromkeys(others, 0.1) if not runs else None))
    words = ["transfer", str(run), "--clusters", str(clusters)]
    for path in (run.transfer_json("initial"), run.transfer_table("initial")):
        path.unlink(missing_ok=True)
    assert cli.main([*words, "--trained", *runs]) == 0
    table, result = read_table(run.transfer_table("initial")).to_pylist(), read_json(run.transfer_json("initial"))
    measured = {(row["trained"], row["changed"]): row["reward_measured"] for row in table}
    assert measured == {(a, b): pytest.approx(0.5 * (a == b)) for a in kinds for b in kinds}
    assert all(row["reward_predicted"] is not None and row["measured"] is None for row in table)
    assert result["by_runs"]["runs"] == runs and result["by_runs"]["trained"] == list(kinds)
    assert {"first order in the pass rate", "hidden states"} <= set(result["by_runs"]["agreement"])
    assert result["by_runs"]["agreement"]["same cluster"]["all"]["value"] == pytest.approx(1)
    assert any(said.startswith("Over 3 runs that trained single clusters by GRPO r =") for said in result["sentences"])
    assert cli.main(words) == 1
    assert "holds a check by 3 runs, which would be lost" in capsys.readouterr().err
    assert cli.main([*words, "--trained", runs[1]]) == 1  # fewer, too
