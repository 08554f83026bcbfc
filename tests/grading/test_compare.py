"""The known false verdicts of math-verify, graded right or documented (pairs.py)."""

from tests.grading.pairs import DOCUMENTED, PAIRS


def failures(grader, pairs) -> list[str]:
    grades = grader.grade([rf"\boxed{{{answer}}}" for answer, *_ in pairs], [label for _, label, *_ in pairs])
    return [
        f"{answer} for {label}: {grade.verdict}, {reason}"
        for (answer, label, right, reason), grade in zip(pairs, grades, strict=True)
        if grade.verdict != ("correct" if right else "wrong")
    ]


def test_every_pair_of_the_corpus_gets_the_right_verdict(grader):
    assert failures(grader, PAIRS) == []


def test_what_stands_is_as_documented(grader):
    assert failures(grader, DOCUMENTED) == []
