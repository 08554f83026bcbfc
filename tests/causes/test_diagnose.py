"""The verb on a run on disk: causes, second models, review and corrected data; and what it does without texts."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest

import openrlhf_unlearn
from openrlhf_unlearn import cli
from openrlhf_unlearn.causes.kin import kin_rate, nearest
from openrlhf_unlearn.pipeline.diagnose import bring_up_to_date, data_of_audit
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from tests.causes.planted import ABLE, MISLABELLED, evaluate, prompts, write_run
from tests.labels.runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDir:
    return write_run(tmp_path_factory.mktemp("planted") / "run")


def causes(run: RunDir) -> dict[str, list[str]]:
    """kind → the causes found of its prompts."""
    kind, found = {row["id"]: row["kind"] for row in prompts()}, {}
    for row in read_table(run.causes).to_pylist():
        found.setdefault(kind[row["prompt_id"]], []).append(row["cause"])
    return found


def test_one_model_finds_labels_and_formats_and_leaves_the_rest_open(run, capsys):
    assert cli.main(["diagnose", str(run)]) == 0
    found = causes(run)
    assert found.pop("mislabelled") == ["wrong_label"] * MISLABELLED
    assert set(found.pop("format")) == {"verifier"}
    assert not {"beyond", "random_label", "wrong_label"} & {cause for of_kind in found.values() for cause in of_kind}
    summary = read_json(run.causes_json)
    assert summary["causes"]["wrong_label"]["prompts"] == MISLABELLED and summary["seconds"] == []
    assert len(read_json(run.cause_list("wrong_label"))) == MISLABELLED
    said = capsys.readouterr().out
    assert "openrlhf-unlearn diagnose" in said and "One model cannot tell" in said
    assert (
        "expected to be wrong" not in said and "would be learned" not in said.partition("Check these labels")[2][:300]
    )


def test_runs_of_different_data_are_refused_also_where_the_first_is_classified(run, tmp_path, capsys):
    other = make_run(tmp_path / "other", [0, 0], [0, 0])
    assert cli.main(["classify", str(run)]) == 0
    assert cli.main(["diagnose", str(run), str(other.path)]) == 1
    assert "are runs of different data" in capsys.readouterr().err and not other.causes.exists()


def test_another_training_of_the_same_base_does_not_confirm_that_a_label_is_wrong(run, tmp_path, capsys):
    again = write_run(tmp_path / "again")
    assert cli.main(["diagnose", str(run), "--second", str(again.path)]) == 0
    said = capsys.readouterr().out
    assert "nor another training of it" in said and "expected to be wrong" not in said
    about = read_json(again.run_json)
    write_json(again.run_json, about | {"model": "another"})
    assert cli.main(["diagnose", str(run), "--second", str(again.path)]) == 0
    assert "expected to be wrong" in capsys.readouterr().out
    assert cli.main(["diagnose", str(run), "--second", "none"]) == 0


def test_a_second_model_resolves_them_and_is_kept_by_the_next_analysis(run):
    evaluate(run, prompts(), "able", 1, np.random.default_rng(5), rates=ABLE)
    result = openrlhf_unlearn.diagnose((str(run),), second=("able",))
    assert result.table.equals(read_table(run.causes)) and result.summary["seconds"] == ["able"]
    found = causes(run)
    assert found["beyond"].count("beyond") >= 0.8 * len(found["beyond"])
    assert found["random"].count("random_label") >= 0.6 * len(found["random"])
    sheet = run.path / "review_all.csv"
    openrlhf_unlearn.diagnose((str(run),), second=("able",), export=sheet)
    listed = {row["prompt_id"] for row in csv.DictReader(sheet.open())}
    told = [row for row in read_table(run.causes).to_pylist() if row["command"].endswith("--export review.csv")]
    assert {row["cause"] for row in told} >= {"random_label"} and {row["prompt_id"] for row in told} <= listed
    before = run.causes.read_bytes()
    assert cli.main(["analyze", str(run), "--offline", "--figure-files"]) == 0
    assert run.causes.read_bytes() == before, "nothing has changed, so it is not made anew"
    by_an_older = read_json(run.causes_json)
    by_an_older["made_from"]["version"] = "0.0.1"
    write_json(run.causes_json, by_an_older | {"causes": {}})
    bring_up_to_date([run])
    assert read_json(run.causes_json)["causes"]["wrong_label"]["prompts"] > 0, "made by an older version"
    report = read_json(run.summary)["report"]
    assert "beyond this model" in report["answer"][1]["text"]
    advice = {item["name"]: item["text"] for item in report["advice"]}
    assert advice.keys() >= {"cause_wrong_label", "cause_verifier", "cause_beyond"} and "consensus" not in advice
    with (run.report.parent / "prompts.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    columns = list(rows[0])
    assert columns.index("cause") == columns.index("cause_probability") - 1
    told = read_table(run.causes).to_pylist()
    sheet = {row["prompt_id"]: (row["cause"], row["cause_probability"]) for row in rows}
    for row in told:
        cause, probability = sheet[row["prompt_id"]]
        assert cause == row["cause"] and (probability == "") == (cause == "undecided")
    assert {cause for name, (cause, _) in sheet.items() if name not in {row["prompt_id"] for row in told}} == {""}
    assert "expected to be wrong" in advice["cause_wrong_label"] and "cannot tell" not in advice["cause_wrong_label"]
    assert report["figures"]["causes"]["numbers"]["prompts"] == read_json(run.causes_json)["prompts"]


def test_labels_go_out_for_review_and_come_back(run, tmp_path):
    pytest.importorskip("openrlhf")  # what the labels are of is read as the host reads it
    review, corrected = tmp_path / "review.csv", tmp_path / "corrected.jsonl"
    for _ in range(2):  # nobody has written into it
        assert cli.main(["diagnose", str(run), "--export", str(review)]) == 0
    rows = list(csv.DictReader(review.open()))
    right = {row["id"]: row["right"] for row in prompts()}
    assert [row["new_label"] for row in rows[:MISLABELLED]] == [right[row["prompt_id"]] for row in rows[:MISLABELLED]]
    for row, decision in zip(rows, ("label_wrong", "drop", "keep"), strict=False):
        row["decision"] = decision
    with review.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert cli.main(["diagnose", str(run), "--decisions", str(review), "--output", str(corrected)]) == 0
    kept = [json.loads(line) for line in corrected.read_text().splitlines()]
    assert len(kept) == len(prompts()) - 1
    before = {(row["prompt"], row["label"]) for row in prompts()}
    changed = [row for row in kept if (row["prompt"], row["label"]) not in before]
    assert [row["label"] for row in changed] == [rows[0]["new_label"]]


def test_decisions_replace_no_data_set_and_ids_that_it_lacks_are_named(run, tmp_path, capsys):
    review, data = tmp_path / "r.csv", run.path.parent / "data.jsonl"
    review.write_text(f"prompt_id,decision\n{prompts()[0]['id']},drop\n1.23E+15,keep\n")
    before, apply = data.read_bytes(), ["diagnose", str(run), "--decisions", str(review), "--data", str(data)]
    assert cli.main([*apply, "--output", str(data)]) == 1
    assert "would replace the data set" in capsys.readouterr().err and data.read_bytes() == before
    assert cli.main([*apply, "--output", str(tmp_path / "corrected.jsonl")]) == 0
    assert "not in the data set: 1 decided prompt: 1.23E+15" in capsys.readouterr().out


def test_decisions_find_the_data_by_a_relative_path_from_anywhere(run, tmp_path, monkeypatch, capsys):
    pytest.importorskip("openrlhf")
    audit, review = type(run)(tmp_path / "aud" / "data_audit"), tmp_path / "r.csv"
    config = run.config().values
    data = {**config["args"]["data"], "prompt_dataset": "data.jsonl"}
    write_json(audit.run_json, {**config, "args": {**config["args"], "data": data}})
    review.write_text(f"prompt_id,decision\n{prompts()[0]['id']},drop\n")
    apply = ["diagnose", "aud/data_audit", "--decisions", "r.csv", "--output", "c.jsonl"]
    monkeypatch.chdir(tmp_path)
    assert cli.main(apply) == 1
    assert "data.jsonl, the data set of aud/data_audit, is not there; give its new place with --data" in (
        capsys.readouterr().err
    )
    (tmp_path / "aud" / "data.jsonl").write_bytes((run.path.parent / "data.jsonl").read_bytes())
    assert cli.main([*apply[:-1], "aud/data.jsonl"]) == 1 and "replace the data set" in capsys.readouterr().err
    assert cli.main(apply) == 0 and len((tmp_path / "c.jsonl").read_text().splitlines()) == len(prompts()) - 1
    (audit.path / "data.jsonl").write_text(json.dumps({"prompt": "Another?", "label": "1"}) + "\n")
    assert cli.main(apply) == 1, "the audit's own folder comes first"
    monkeypatch.chdir(tmp_path / "aud")
    assert cli.main(["diagnose", "data_audit", "--decisions", "../r.csv", "--output", "../c.jsonl"]) == 0


def test_an_audit_keeps_the_whole_path_of_its_data_and_an_older_one_goes_on_as_it_began(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.jsonl").touch()
    audit = RunDir("d_audit")
    assert data_of_audit(audit, "d.jsonl, org/data") == f"{tmp_path}/d.jsonl,org/data"
    write_json(audit.run_json, {"schema_version": 1, "data": "d.jsonl"})
    assert data_of_audit(audit, "d.jsonl") == "d.jsonl"


def test_a_list_without_a_row_goes_out_and_comes_back_as_the_data_is(tmp_path, capsys):
    """Of an imported run the data is its prompts."""
    run, review, corrected = write_run(tmp_path / "my run"), tmp_path / "r.csv", tmp_path / "c.jsonl"
    config = read_json(run.run_json)
    write_json(run.run_json, {**config, "args": {}})
    groups = read_table(run.learnability)
    easy = pa.array(["easy"] * len(groups))
    write_table(run.learnability, groups.set_column(groups.schema.get_field_index("group"), "group", easy))
    assert cli.main(["diagnose", str(run), "--export", str(review)]) == 0
    said = capsys.readouterr().out
    assert "no label to review" in said and "fill in" not in said
    assert cli.main(["diagnose", str(run), "--decisions", str(review), "--output", str(corrected)]) == 0
    assert f"{len(prompts())} rows; the data as it is: the list is empty" in capsys.readouterr().out
    kept = [json.loads(line) for line in corrected.read_text().split("\n") if line]
    assert [(row["prompt"], row["label"]) for row in kept] == [(row["prompt"], row["label"]) for row in prompts()]
    assert cli.main(["diagnose", str(run), "--export", str(review)]) == 0, "nobody has written into it"
    assert cli.main(["diagnose", str(run), "--decisions", str(review), "--output", "c", "--data", "d.jsonl"]) == 1
    assert "does not say how its prompts were made; leave --data out" in capsys.readouterr().err


def test_without_texts_what_the_tracker_counted_stands_in(tmp_path):
    blind = write_run(tmp_path / "blind" / "run", text=False)
    assert cli.main(["diagnose", str(blind)]) == 0
    assert "wrong_label" not in {cause for found in causes(blind).values() for cause in found}
    counted = write_run(tmp_path / "counted" / "run", text=False, counted=True)
    assert cli.main(["diagnose", str(counted)]) == 0
    assert causes(counted)["mislabelled"] == ["wrong_label"] * MISLABELLED


def test_an_audit_without_training_finds_the_wrong_labels(run):
    from openrlhf_unlearn.causes.audit import audit

    evaluate(run, prompts(), "able", 1, np.random.default_rng(5), rates=ABLE)
    result, counts = audit(run, ["final", "able"])
    assert counts["ablest"] == "able" and counts["rows"] == len(prompts())
    kind = {row["id"]: row["kind"] for row in prompts()}
    wrong = [kind[row["prompt_id"]] for row in result.table.to_pylist() if row["cause"] == "wrong_label"]
    assert sorted(wrong) == ["mislabelled"] * MISLABELLED


def test_kin_are_of_one_wording_and_too_few_are_none():
    texts = [f"Add {i} and {i + 3} please." for i in range(8)] + ["Name the capital of France."]
    near = nearest(texts, np.array([0, 8]))
    assert set(near[0]) == set(range(1, 8)) and len(near[1]) == 0
    assert np.isnan(kin_rate(near, np.ones(9))[1]) and kin_rate(near, np.ones(9))[0] == 1
