"""Answers of real problems made wrong by one digit, sign, operator or bracket: how many are graded wrong.

    python benchmarks/mutations.py [--answers 20000]

Without real problems (OPENRLHF_UNLEARN_DATA, or ../shared/data) the formulas of tests/grading/pairs.py stand in.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.grading import MathGrader  # noqa: E402
from tests.grading import real  # noqa: E402
from tests.grading.mutations import sample  # noqa: E402
from tests.grading.pairs import PAIRS  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    labels = real.answers() or sorted({label for _, label, *_ in PAIRS})
    wrong = sample(labels, args.answers, args.seed)
    graded, passed = Counter(kind for kind, *_ in wrong), Counter()
    with MathGrader(2, timeout_s=20) as grader:
        for start in tqdm(range(0, len(wrong), 200), "mutants", disable=None):
            kinds, answers, golds = zip(*wrong[start : start + 200], strict=True)
            grades = grader.grade([rf"\boxed{{{answer}}}" for answer in answers], list(golds))
            for kind, answer, gold, grade in zip(kinds, answers, golds, grades, strict=True):
                if grade.verdict == "correct":
                    passed[kind] += 1
                    tqdm.write(f"{kind:<8} {answer!r} is graded correct for {gold!r}", file=sys.stdout)
    result = {
        "benchmark": "mutations",
        "ratio": round(1 - sum(passed.values()) / len(wrong), 5),
        "bar": 0.999,
        "better": "higher",
        "answers": dict(graded),
        "graded_correct": dict(passed),
        "real_answers": bool(real.answers()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
