"""What a person wrote into the list for review is taken as it stands or refused, and labels keep their form."""

import datetime
import json

import pytest

from openrlhf_unlearn.causes.label_review import Decided, corrected, read_decisions
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.pipeline.diagnose import read_decided
from openrlhf_unlearn.store.files import write_json, write_jsonl

HEAD = "prompt_id,proposed,decision,new_label\n"


def read(tmp_path, text: str) -> dict[str, Decided]:
    (tmp_path / "review.csv").write_text(text)
    return read_decisions(tmp_path / "review.csv")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("a,7,label_wrong,7\nb,1,keep,1\na,7,keep,7\n", "line 4: a was decided otherwise"),
        ("a,7,keep,7\nb,7,,8\n", "line 3: new_label was changed and decision is empty"),
        ("a,7,,7\n", "no decision is filled in"),
        ("a,7,keep,8\n", "line 2: new_label was changed and decision is keep"),
        ("a,7,drop,8\n", "line 2: new_label was changed and decision is drop"),
        ("a,7,drop,7\n ,7,keep,7\n", "line 3: decision keep has no prompt_id"),
        ('a,"7\n\n7",drop,"7\n\n7"\n\n"b",7,"may\nbe",7\n', "line 8: decision 'may_be'"),
    ],
)
def test_decisions_that_would_be_lost_are_refused(tmp_path, lines, says):
    with pytest.raises(UserError, match=says):
        read(tmp_path, HEAD + lines)


def test_a_sheet_without_the_columns_of_labels_is_read(tmp_path):
    for head in ("prompt_id,decision,new_label", "prompt_id,decision,proposed"):
        assert set(read(tmp_path, f"{head}\na,drop,5\nb,,7\n")) == {"a"}


def test_a_wrong_label_needs_a_column_for_the_right_one(tmp_path):
    with pytest.raises(UserError, match="line 3: decision label_wrong, and there is no column new_label"):
        read(tmp_path, "prompt_id,decision\na,keep\nb,label_wrong\n")


def test_of_a_label_that_is_kept_the_proposed_one_may_be_emptied_and_empty_rows_say_nothing(tmp_path):
    assert read(tmp_path, HEAD + "a,7,keep,\n,,,\n , ,,\n") == {"a": Decided("keep")}


@pytest.mark.parametrize(("said", "parted"), [(";", ";"), (",", ","), ("\t", "\t"), (r"\t", "\t"), ("|", "|")])
def test_excels_line_that_names_the_separator_is_no_header(tmp_path, said, parted):
    text = f"\ufeffsep={said}\r\n" + f"{HEAD}a,7,label_wrong,1;2\nb,7,maybe,7\n".replace(",", parted)
    text = text.replace("1;2", '"1;2"')
    with pytest.raises(UserError, match="line 4: decision 'maybe'"):
        read(tmp_path, text)
    assert read(tmp_path, text.replace("maybe", "drop"))["a"] == Decided("label_wrong", "1;2")


def test_headers_are_read_in_any_case_and_with_blanks(tmp_path):
    text = "Prompt_ID, PROPOSED , decision,New_Label \na,7,label_wrong,8\n"
    assert read(tmp_path, text) == {"a": Decided("label_wrong", "8")}


def test_a_list_without_a_row_decides_nothing_and_a_page_without_a_decision_is_told(tmp_path):
    assert read(tmp_path, HEAD) == {}
    for text in ("", "prompt_id,label\n", "a,b\n1,2\n"):
        with pytest.raises(UserError, match="has no column prompt_id or decision"):
            read(tmp_path, text)
    write_json(tmp_path / "page.json", {"kind": "decisions", "version": 1, "decisions": [{"prompt_id": "a"}]})
    with pytest.raises(UserError, match="no prompt of it has a decision"):
        read_decided(tmp_path / "page.json")


@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_what_spreadsheets_and_people_write_is_read(tmp_path, parted):
    text = (HEAD + " a ,7, Label  wrong,7\na,7,label_wrong,7\nb,,,\n").replace(",", parted)
    assert read(tmp_path, text) == {"a": Decided("label_wrong", "7")}


@pytest.mark.parametrize(
    ("before", "label", "after"),
    [
        ("5", "7", "7"), (5, "7", 7), (0.5, "0.25", 0.25), (["5"], "7", ["7"]), (None, "7", "7"),
        ({"answer": 5, "more": [1]}, "7", {"answer": 7, "more": [1]}), ('{"a": 1}', "7", "7"),
    ],
)  # fmt: skip
def test_a_label_keeps_its_form(before, label, after):
    rows, done = corrected([("p", {"q": "x", "gold": {"is": before}})], {"p": Decided("label_wrong", label)}, "gold.is")
    assert rows == [{"q": "x", "gold": {"is": after}}] and done == {"corrected": 1}


def test_an_answer_goes_back_into_the_object_that_held_it():
    label = json.dumps({"answer": "5", "metadata": {"seed": 3}})
    ((row,), _) = corrected([("p", {"label": label})], {"p": Decided("label_wrong", "7")}, "label")
    assert json.loads(row["label"]) == {"answer": "7", "metadata": {"seed": 3}}


@pytest.mark.parametrize("before", [3, True, ["1", "2"]])
def test_a_label_of_another_form_is_refused(before):
    with pytest.raises(UserError, match="prompt p: new_label '1/2' cannot stand where the label is"):
        corrected([("p", {"label": before})], {"p": Decided("label_wrong", "1/2")}, "label")


def test_what_json_cannot_hold_is_named_by_its_column(tmp_path):
    with pytest.raises(UserError, match="column 'when' holds a date, which JSON lines cannot hold"):
        write_jsonl(tmp_path / "d.jsonl", [{"a": 1, "when": datetime.date(2026, 1, 1)}])
