"""What a grading process answers, without the process; test_pool.py has it killed, hung and out of memory."""

import os
import sys

import pytest

from openrlhf_unlearn.grading.formats import load_format
from openrlhf_unlearn.grading.grade import Grade
from openrlhf_unlearn.grading.worker import MAX_REPLY, _refuse, answer_to

ASKED = {"response": "x", "label": "1"}


class Users:
    """A user's grader: gives what it was made with, or raises it."""

    def __init__(self, gives):
        self.gives = gives

    def grade(self, responses, labels):
        if isinstance(self.gives, BaseException):
            raise self.gives
        return [self.gives]


def test_ours_is_asked_for_a_verdict_or_whether_a_label_is_gradable():
    answers = load_format("text")
    assert answer_to({"response": "1", "label": "1"}, answers)["verdict"] == "correct"
    assert answer_to({"label": "1"}, answers) == {"gradable": True}
    assert answer_to({"label": " "}, Users(None)) == {"gradable": False}, "a user's need not say so"


@pytest.mark.parametrize("gives", [Grade("right", 1.0, "1"), Grade("wrong", float("nan"), "1")])
def test_what_no_reader_knows_is_an_error_that_names_it(gives):
    reply = answer_to(ASKED, Users(gives))
    assert (reply["verdict"], reply["reward"]) == ("error", 0.0)
    assert f"verdict {gives.verdict!r} and reward {gives.reward!r}" in reply["problem"]


@pytest.mark.parametrize("raised", [KeyError("a"), SystemExit(3), RecursionError()])
def test_what_a_users_grader_raises_is_said_with_its_line(raised):
    reply = answer_to(ASKED, Users(raised))
    assert reply["verdict"] == "error" and reply["reason"] == reply["problem"]
    assert reply["problem"].startswith(type(raised).__name__) and "(test_worker.py, line " in reply["problem"]
    assert answer_to({"label": "1"}, Users(raised)) == {"gradable": True}


def test_an_answer_without_end_is_cut():
    reply = answer_to(ASKED, Users(Grade("wrong", 0.0, "9" * (2 * MAX_REPLY), "b" * (2 * MAX_REPLY))))
    assert len(reply["answer"]) == len(reply["reason"]) == MAX_REPLY


@pytest.mark.parametrize(
    ("event", "arguments"),
    [("open", ("f", "w", 0)), ("open", ("f", None, os.O_CREAT)), ("os.system", ("ls",)), ("socket.connect", ())],
)
def test_mathematics_may_not_write_or_start_anything(event, arguments):
    with pytest.raises(PermissionError, match=f"grading may not {event}"):
        _refuse(event, arguments)


def test_it_may_read_and_compile():
    _refuse("open", (sys.executable, "rb", os.O_RDONLY))
    _refuse("compile", (b"1", "f"))
