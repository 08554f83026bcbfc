"""Every rule accepts its own examples and refuses what it must never accept; the documentation shows the same table."""

from pathlib import Path

import pytest

from openrlhf_unlearn.grading.rules import COMPARING, FINDING, table

DOCS = Path(__file__).parents[2] / "docs" / "grading.md"


def cases(rules, wanted: str) -> list[tuple[str, str, str]]:
    return [(name, *pair) for name, rule in rules.items() for pair in getattr(rule, wanted)]


def boxed(found) -> list[tuple[str, str, str]]:
    return [(name, rf"\boxed{{{answer}}}", label) for name, answer, label in found]


def test_each_rule_decides_what_it_is_for(grader):
    found = cases(FINDING, "accepts") + boxed(cases(COMPARING, "accepts"))
    grades = grader.grade([response for _, response, _ in found], [label for *_, label in found])
    failed = [
        (case, g)
        for case, g in zip(found, grades, strict=True)
        if (g.verdict, case[0] in g.reason.split("; ")) != ("correct", True)
    ]
    assert failed == []


def test_no_rule_accepts_what_it_never_must(grader):
    found = cases(FINDING, "never") + boxed(cases(COMPARING, "never"))
    grades = grader.grade([response for _, response, _ in found], [label for *_, label in found])
    assert [(case, g) for case, g in zip(found, grades, strict=True) if g.verdict not in ("wrong", "no_answer")] == []


@pytest.mark.parametrize("rules", [FINDING, COMPARING])
def test_the_documentation_has_the_same_table(rules):
    assert table(rules) in DOCS.read_text(encoding="utf-8")
