"""Hints as data: what is cut, what is never shown, rows in the host's format, stages that end without hints."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from openrlhf_unlearn.interventions.partial import prefix, shows, working
from openrlhf_unlearn.store.run_dir import prompt_id
from tests.interventions.runs import FRAME, make_run, sums
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
    ],
)
def test_the_working_ends_before_the_first_step_that_holds_the_answer(solution, question, label, shown):
    assert prefix(solution, 1.0, question, label) == shown


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
