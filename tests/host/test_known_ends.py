"""Which errors say that a machine was lost; tests/host/test_launcher.py has those of memory."""

import pytest
from ray.exceptions import ActorUnavailableError, NodeDiedError

from openrlhf_unlearn.host.known_ends import LOST_NODE, UNREACHABLE, known_end


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("The actor died because its node has died. Node Id: 1"), LOST_NODE),
        (caused(RuntimeError("task failed"), OSError("Task failed due to the node dying")), LOST_NODE),
        (RuntimeError("The actor died unexpectedly before finishing this task"), None),
        (ValueError("node of a tree"), None),
        (ActorUnavailableError("The actor is unavailable: RpcError: Socket closed", None), UNREACHABLE),
        (caused(ActorUnavailableError("The actor is unavailable", None), NodeDiedError("lost")), LOST_NODE),
    ],
)
def test_only_what_ray_says_of_a_node(error, line):
    assert known_end(error) == line


def test_an_error_that_is_its_own_cause_ends():
    error = RuntimeError("again")
    error.__context__ = caused(ValueError("inner"), error)
    assert known_end(error) is None
