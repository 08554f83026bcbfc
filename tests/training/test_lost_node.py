"""Which errors say that a machine was lost."""

import pytest

from openrlhf_unlearn.training.lost_node import lost_a_node


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
    assert lost_a_node(error) == lost


def test_an_error_that_is_its_own_cause_ends():
    error = RuntimeError("again")
    error.__context__ = caused(ValueError("inner"), error)
    assert not lost_a_node(error)
