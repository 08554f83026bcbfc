import pytest

from openrlhf_unlearn.interventions.duplicates import fingerprint
from tests.interventions.real import families

PROBLEM = r"What is the value of $\frac{1}{2} \times 3x$ when $x = 4$?"
FILES = ["similar_problems_learnable", "similar_problems_unlearnable", "subproblems_unlearnable"]


@pytest.mark.parametrize(
    "other",
    [
        r"Find the value of \(\dfrac{1}{2}\cdot 3x\) when \( x=4 \).",
        r"what is the value of  $\left.\frac{1}{2} × 3 x\right.$, when $x = 4$",
        r"Compute $\tfrac{1}{2} \times 3x$ when $x = 4$.",
    ],
)
def test_other_dress_is_the_same_problem(other):
    assert fingerprint(other) == fingerprint(PROBLEM)


@pytest.mark.parametrize("was, now", [("4", "5"), ("3x", "3y"), ("2", "-2"), ("when", "unless"), ("x =", "x >")])
def test_another_number_name_or_word_is_another_problem(was, now):
    assert fingerprint(PROBLEM.replace(was, now)) != fingerprint(PROBLEM)


@pytest.mark.parametrize("name", FILES)
def test_real_problems_of_one_family_are_told_apart(name):
    if not families(name):
        pytest.skip(f"{name}.json is not there: set OPENRLHF_UNLEARN_DATA to the folder of real problems")
    rows = sum(map(len, families(name).values()))
    apart = sum(len({fingerprint(row["question"]) for row in family}) for family in families(name).values())
    assert apart >= 0.99 * rows
