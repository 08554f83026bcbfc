import pytest

from openrlhf_unlearn.grading import MathGrader


@pytest.fixture(scope="package")
def grader():
    """One pool for the tests of this folder: a start costs seconds, and a loaded machine gets a long deadline."""
    with MathGrader(workers=2, timeout_s=20.0) as grader:
        yield grader
