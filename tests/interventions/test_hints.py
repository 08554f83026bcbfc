"""Hints as data: what is cut, what is never shown, rows in the host's format, stages that end without hints."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.evaluation.prompts import identified_rows
from openrlhf_unlearn.interventions.hints import FRAME as FRAMES
from openrlhf_unlearn.interventions.hints import row_of
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from openrlhf_unlearn.interventions.partial import prefix, shows, working
from openrlhf_unlearn.interventions.questions import Question
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import prompt_id, write_jsonl
from tests.interventions.runs import FRAME, make_run, nested_run, sums
from tests.interventions.server import Reply, Server

N = 12
text = st.text(st.sampled_from("ab 1\n=+"), max_size=60)


@given(before=text, answer=st.integers(0, 999), after=text, share=st.floats(0, 1))
def test_a_prefix_is_a_beginning_of_the_working_and_never_holds_the_box(before, answer, after, share):
    solution = rf"{before}\boxed{{{answer}}}{after}"
    cut = prefix(solution, share)
    assert solution.startswith(cut) and "boxed" not in cut
    assert len(cut) <= share * len(working(solution)) + 1
    assert prefix(solution, 1.0) == working(solution).rstrip() and before.startswith(working(solution))


def test_a_prefix_ends_at_white_space_where_some_is_near():
    assert prefix("First add the tens then the ones", 0.5) == "First add the"
    assert prefix("O48#U24=\\boxed{4824}", 0.5) == "O48#"


@pytest.mark.parametrize("end", ["#### 42", "####42\n", "  #### 1,042 \n\n"])
def test_a_last_line_of_gsm8k_is_never_shown_and_a_heading_is_no_such_line(end):
    assert prefix(f"#### Step 1\nAdd the ones.\n{end}", 1.0) == "#### Step 1\nAdd the ones."
    assert working(f"#### Step 1\nAdd.\n#### So\n\\boxed{{{42}}}") == "#### Step 1\nAdd.\n#### So\n"


GSM8K = """Natalia sold 48/2 = <<48/2=24>>24 clips in May.
Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.
#### 72"""
TENTHS = r"Multiply by 7. As 7x = 10, so we get \frac{10}{7}, which is \boxed{\tfrac{10}7}."


@pytest.mark.parametrize(
    "solution, question, label, shown",
    [
        (GSM8K, "", "", "Natalia sold 48/2 = <<48/2=24>>24 clips in May."),
        (GSM8K, "How many clips?", GSM8K, "Natalia sold 48/2 = <<48/2=24>>24 clips in May."),
        (TENTHS, "", "", "Multiply by 7."),
        (TENTHS.replace(r"\boxed{\tfrac{10}7}", "it"), "", r"\dfrac{10}{7}", "Multiply by 7."),
        ("Not 172, 7.2 or 72.5.\nBut 72.0 it is.", "", "72", "Not 172, 7.2 or 72.5."),
        ("Add.\nIn all 1{,}042 of them. \\boxed{1042}", "", "", "Add."),
        ("Add.\nIn all 5 cm. \\boxed{5\\text{ cm}^2}", "", "", "Add."),
        ("Of the 72, half are red.\nThe total is\n72.", "Of 72?", "72", "Of the 72, half are red.\nThe total is"),
        ("A train leaves.\nSo it is A.", "(A) 1 or a 2?", "A", "A train leaves."),
        ("It has 725 of them", "", "72", "It has 725 of them"),
        ("Add.\nSo $\\frac{\\sqrt3}{2}$ it is. \\boxed{\\frac{\\sqrt{3}}{2}}", "", "", "Add."),
        ("Add.\nSo the answer is (C). \\boxed{C}", "(A) 1 (B) 2 (C) 3", "C", "Add."),
        ("Add.\nSo the answer is: 72. \\boxed{72}", "Of the 72 …", "72", "Add."),
        ("Step 1: Take $x_1$ and\n1. square it.\nThat is 1.", "", "1", "Step 1: Take $x_1$ and\n1. square it."),
        ("A triangle has three sides.\nSo it is A.", "", "A", "A triangle has three sides."),
        ("As $x^2 + y^2 = 25$, add.\nWe get 2.", "", "2", "As $x^2 + y^2 = 25$, add."),
    ],
)
def test_the_working_ends_before_the_first_step_that_holds_the_answer(solution, question, label, shown):
    assert prefix(solution, 1.0, question, label) == shown


def test_long_solutions_are_cut_at_once():
    """Each of these took minutes where the work grew with the square of the length."""
    assert prefix("1 " * 500_000 + r"\boxed{1}", 0.5, "1 " * 240, "1").startswith("1 1 1")
    assert prefix("#### 5" + " " * 200_000 + "\nx", 1.0).startswith("#### 5")


PIECES = ["72", "725", "7.2", ".5", "72.0", " ", "\n", ".", ". ", "= ", "=", ">>", " is ", "a", "+", "$", "x "]


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=30),
    end=st.sampled_from(["", r"\boxed{72}", "\n#### 72"]),
    question=st.sampled_from(["How many?", "72 of 725?"]),
    share=st.floats(0, 1),
)
def test_no_share_shows_the_answer(pieces, end, question, share):
    hint = prefix("".join(pieces) + end, share, question, "72")
    assert "".join(pieces).startswith(hint)
    for number in re.finditer(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+", hint):
        said = re.search(r"(=|>>|(?<![a-z])is)[\s$]*\Z", hint[: number.start()])
        assert float(number[0]) != 72 or ("72" in question and not said)


def test_an_idea_shows_the_answer_where_it_holds_it():
    assert shows("Use that 48 + 24 is 72.", "Add 48 and 24.", "72") and not shows("Add.", "Add 48 and 24.", "72")


def solutions(folder, rows, own_format=False):
    path = folder / "solutions.jsonl"
    solved = []
    for row in rows:
        a, b = row["question"].split()[2], row["question"].split()[4].rstrip("?")
        held = {"prompt": FRAME.format(row["question"]), "label": row["label"]}
        name = {"prompt_id": prompt_id(held["prompt"], row["label"])}
        steps = rf"Write {a} over {b}. Add the ones, then the tens, then the hundreds. So \boxed{{{row['label']}}}"
        solved.append({**(held if own_format else name), "solution": steps})
    path.write_text("".join(json.dumps(row) + "\n" for row in solved))
    return path


def hints(run, out, *more: str) -> int:
    return main(["hints", str(run), "--output", str(out), "--question-key", "question", *more])


@pytest.mark.parametrize("own_format", [True, False])
def test_rows_and_stages(tmp_path, own_format):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    assert hints(run, out, "--solutions", str(solutions(tmp_path, sums(N), own_format))) == 0
    originals, half = read_jsonl(out / "originals.jsonl"), read_jsonl(out / "hint_50.jsonl")
    assert len(originals) == N // 2  # the unlearnable and the never rewarded
    for plain, hinted in zip(originals, half, strict=True):
        assert plain["origin"] == hinted["origin"] == prompt_id(plain["prompt"], plain["label"])
        assert hinted["label"] == plain["label"] and hinted["label"] not in hinted["prompt"].split("begins")[1]
        question = plain["prompt"].removeprefix("Question: ").removesuffix(" Answer in a box.")
        assert hinted["prompt"].startswith(f"Question: {question}\n\nThe solution begins like this:\nWrite ")
        assert hinted["prompt"].endswith(" Answer in a box.")  # the template stays around it
    schedule = json.loads((out / "schedule.json").read_text())
    assert [stage["share"] for stage in schedule] == [0.75, 0.5, 0.25, 0.0]
    assert [(stage["rows"], stage["hinted"]) for stage in schedule] == [(N + 6, 6)] * 3 + [(N, 0)]
    last = read_jsonl(out / schedule[-1]["data"])
    assert {row["hint"] for row in last} == {0.0} and len(last) == N
    plain = {row["prompt"] for row in last}
    assert all(plain < {row["prompt"] for row in read_jsonl(out / stage["data"])} for stage in schedule[:-1])


def test_a_solution_that_is_missing_and_one_that_gives_the_answer_away_are_said(tmp_path, capsys):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    rows = [row for i, row in enumerate(sums(N)) if i % 4 in (0, 3)]  # the unlearnable and the never rewarded
    names = [prompt_id(FRAME.format(row["question"]), row["label"]) for row in rows]
    path = tmp_path / "solutions.jsonl"
    twice = 2 * int(rows[1]["label"])
    given_away = rf"Surely \boxed{{\frac{{{twice}}}{{2}}}}, which I now show in many words and again \boxed{{1}}"
    path.write_text(
        json.dumps({"prompt_id": names[1], "solution": given_away})
        + "\n"
        + json.dumps({"prompt_id": names[2], "solution": "Add the ones first, then the tens."})
        + "\n"
        + json.dumps({"prompt_id": names[3], "solution": rf"\boxed{{{rows[3]['label']}}}"})
    )
    assert hints(run, out, "--solutions", str(path)) == 0
    said = capsys.readouterr().out
    for why in ("3 without a solution", "1 whose hint gives the answer", "1 whose solution is too short for a hint"):
        assert why in said
    assert "1 of 6 prompts with hints" in said
    assert [row["origin"] for row in read_jsonl(out / "hint_25.jsonl")] == names[2:3]


def test_hints_of_an_endpoint_are_paid_once_and_wrong_solutions_are_none(tmp_path, capsys):
    def answer(request, number):
        asked = request["messages"][-1]["content"]
        if "Its final answer" in asked:
            return Reply("Add column by column.")
        a = int(asked.split()[2])
        return Reply(rf"Add them column by column. \boxed{{{3 * a + 1 if a == 100 else 0}}}")

    run = make_run(tmp_path, N)
    with Server(answer) as server:
        words = ["--model", "strong", "--base-url", server.url, "--max-answer-tokens", "99"]
        assert hints(run, tmp_path / "idea", "--kind", "abstract", *words) == 0
        assert hints(run, tmp_path / "idea", "--kind", "abstract", *words) == 0
        assert len(server.requests) == 6
        assert hints(run, tmp_path / "prefix", *words) == 0
    assert "1 of 6 prompts with hints, 5 without a solution" in capsys.readouterr().out
    rows = read_jsonl(tmp_path / "idea" / "hint_abstract.jsonl")
    assert [row["prompt"].count("Hint: Add column by column.") for row in rows] == [1] * 6


def solved(folder, names, working="Add the ones, then the tens, then the hundreds."):
    write_jsonl(folder / "solved.jsonl", [{"prompt_id": name, "solution": working} for name in names])
    return str(folder / "solved.jsonl")


def test_rows_keep_their_columns_and_plain_ones_their_ids(tmp_path):
    run, rows = nested_run(tmp_path, images=True)
    out, ids = tmp_path / "hints", Prompts.ids(run).to_pylist()
    assert hints(run, out, "--solutions", solved(tmp_path, ids)) == 0
    found = identified_rows(run, str(out / "stage_4.jsonl"), "")
    assert [name for name, _ in found] == ids
    plain, hinted = read_jsonl(out / "stage_1.jsonl")[:N], read_jsonl(out / "stage_1.jsonl")[N:]
    assert all(row.items() <= kept.items() for row, kept in zip(rows, plain, strict=True))
    assert [row["level"] for row in hinted] == [0, 3, 4, 7, 8, 11]
    for row in hinted:
        of = rows[row["level"]]
        assert row.items() >= {**of, "datasource": "hint_0.75"}.items() and "Add the ones" in row["extra.prompt"]
    assert not {name for name, row in identified_rows(run, str(out / "hint_75.jsonl"), "")} & set(ids)


def test_data_that_json_lines_cannot_hold_is_refused_and_nothing_is_written(tmp_path, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    run, out = make_run(tmp_path, N), tmp_path / "hints"
    rows = [{**row, "drawn": b"\x89"} for row in read_jsonl(tmp_path / "data.jsonl")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    words = ["--data", str(tmp_path / "data.parquet"), "--solutions", solved(tmp_path, Prompts.ids(run).to_pylist())]
    assert hints(run, out, *words) == 1 and not out.exists()
    assert "column 'drawn' holds a bytes, which JSON lines cannot hold" in capsys.readouterr().err


def test_a_question_that_holds_the_word_of_the_frame_stays_as_it_is():
    row = {"prompt": "Q: What is {hint}?", "label": 1}
    question = Question("id", "What is {hint}?", "1", None, row, "prompt", "label")
    made = row_of(question, "Read {question}.", 0.5, FRAMES["abstract"])
    assert made["prompt"] == "Q: What is {hint}?\n\nHint: Read {question}."


def test_files_of_an_earlier_call_go_once_new_ones_are_there_and_an_error_changes_none(tmp_path, capsys):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    names = Prompts.ids(run).to_pylist()
    assert hints(run, out, "--solutions", solved(tmp_path, names)) == 0
    for mine in ("stage_mine.jsonl", "hint_25.json", "answers.jsonl"):
        (out / mine).write_text("mine")
    assert hints(run, out, "--solutions", solved(tmp_path, names[:1]), "--shares", "50") == 0
    ours = {"originals", "rejected", "hint_50", "stage_1", "stage_2"}
    others = {"schedule.json", "stage_mine.jsonl", "hint_25.json", "answers.jsonl"}
    assert {path.name for path in out.iterdir()} == others | {f"{name}.jsonl" for name in ours}
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert hints(run, out, "--solutions", solved(tmp_path, names[:1], r"\boxed{301}")) == 1
    said = "no prompt of 6 has a hint: 1 whose solution is too short for a hint, 5 without a solution"
    assert said in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_files_that_hints_has_not_written_are_never_replaced_or_removed(tmp_path, capsys):
    run, mine, other = make_run(tmp_path, N), tmp_path / "mine", tmp_path / "other"
    source = Path(solved(tmp_path, Prompts.ids(run).to_pylist()))
    for folder, name in ((mine, "hint_abstract.jsonl"), (other, "originals.jsonl")):
        folder.mkdir()
        (folder / name).write_text("mine")
    given = mine / "stage_9.jsonl"
    given.write_bytes(source.read_bytes())
    assert hints(run, mine, "--solutions", str(given)) == 0
    assert given.exists() and (mine / "hint_abstract.jsonl").read_text() == "mine"
    (mine / "stage_1.jsonl").write_bytes(source.read_bytes())
    for output, solutions in ((other, source), (mine, mine / "stage_1.jsonl")):
        capsys.readouterr()
        assert hints(run, output, "--solutions", str(solutions)) == 1
        assert "which this would replace or remove; choose another folder" in capsys.readouterr().err
    assert (other / "originals.jsonl").read_text() == "mine" and len(list(other.iterdir())) == 1


@pytest.mark.parametrize("spec", ["learnable", "learnability.parquet:learnable"])
def test_a_group_is_that_of_the_run_wherever_the_command_is_called(tmp_path, spec):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    names = Prompts.ids(run).to_pylist()
    assert hints(run, out, "--solutions", solved(tmp_path, names), "--prompts", spec) == 0
    assert [row["origin"] for row in read_jsonl(out / "originals.jsonl")] == names[1::4]


@pytest.mark.parametrize("words", [[], ["--prompts", "easy"]])
def test_a_run_without_groups_is_told_to_be_classified(tmp_path, capsys, words):
    run = make_run(tmp_path, N)
    run.learnability.unlink()
    assert hints(run, tmp_path / "hints", "--solutions", solved(tmp_path, Prompts.ids(run).to_pylist()), *words) == 1
    assert f"{run} is not classified: openrlhf-unlearn classify {run}" in capsys.readouterr().err


def test_ids_of_solutions_that_the_data_lacks_are_told(tmp_path, capsys):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    names = Prompts.ids(run).to_pylist()
    assert hints(run, out, "--solutions", solved(tmp_path, ["x", "y", *names])) == 0
    assert "solved.jsonl: 2 of 14 prompts are not in the run's data" in capsys.readouterr().err
    assert hints(run, out, "--solutions", solved(tmp_path, ["x"])) == 1
    assert "1 of 1 prompt are not in the run's data; it is of other data" in capsys.readouterr().err


def test_two_solutions_of_a_prompt_are_an_error_unless_they_are_the_same(tmp_path, capsys):
    run, out = make_run(tmp_path, N), tmp_path / "hints"
    path = solved(tmp_path, Prompts.ids(run).to_pylist() * 2)
    assert hints(run, out, "--solutions", path) == 0
    rows = read_jsonl(tmp_path / "solved.jsonl")
    write_jsonl(tmp_path / "solved.jsonl", [*rows, {**rows[2], "solution": "Another one."}])
    assert hints(run, out, "--solutions", path) == 1
    assert f"prompt {rows[2]['prompt_id']} has two solutions, line 3 and line 25; keep one" in capsys.readouterr().err


def test_a_comma_in_the_name_of_solutions_without_ids_is_told(tmp_path, capsys):
    run = make_run(tmp_path, N)
    path = solutions(tmp_path, sums(N), own_format=True).rename(tmp_path / "a,b.jsonl")
    assert hints(run, tmp_path / "hints", "--solutions", str(path)) == 1
    assert f"--solutions {path}: a comma" in capsys.readouterr().err
