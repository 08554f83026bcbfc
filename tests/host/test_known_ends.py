"""Which errors say that a machine was lost; tests/test_launcher.py has those of memory."""

import pytest

from openrlhf_unlearn.host.known_ends import LOST_NODE, known_end


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("The actor died because its node has died. Node Id: 1"), True),
        (caused(RuntimeError("task failed"), OSError("Task failed due to the node dying")), True),
        (RuntimeError("The actor died unexpectedly before finishing this task"), False),
        (ValueError("node of a tree"), False),
    ],
)
def test_only_what_ray_says_of_a_node(error, lost):
    assert (known_end(error) == LOST_NODE) == lost


def test_an_error_that_is_its_own_cause_ends():
    error = RuntimeError("again")
    error.__context__ = caused(ValueError("inner"), error)
    assert known_end(error) is None
