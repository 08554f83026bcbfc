"""Our grader and those that people use instead, on one set of cases: who grades what wrong, and how fast.

    python benchmarks/graders.py [--cases FILE.jsonl] [--others FOLDER]

Cases are rows of {response, label, expected, debatable}: `expected` is `correct`, `not`, or a verdict; debatable ones
are not counted. Without --cases, OPENRLHF_UNLEARN_CASES or ../shared/cases/grading.jsonl, else the pairs of
tests/grading/pairs.py. The others are installed once into FOLDER (without what they depend on); one that does not
install or start is left out, and the table says so. All run in the same killable processes with the same deadline.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from openrlhf_unlearn.errors import UserError  # noqa: E402
from openrlhf_unlearn.grading import load_grader  # noqa: E402
from tests.grading.pairs import PAIRS  # noqa: E402

CASES = Path(os.environ.get("OPENRLHF_UNLEARN_CASES", ROOT.parent / "shared" / "cases" / "grading.jsonl"))
PACKAGES = ("trl==1.16.0", "verl==0.9.1")
GRADERS = {  # name in the table → answer format
    "openrlhf-unlearn": "auto",
    "math-verify 0.9.0": "MathVerify",
    "math-verify 0.9.0, label in dollars": "MathVerifyDollars",
    "TRL accuracy_reward": "Trl",
    "TRL accuracy_reward, label in dollars": "TrlDollars",
    "verl math_dapo": "VerlDapo",
    "verl prime_math": "VerlPrime",
    "verl math_reward": "VerlMath",
}
NOT_INSTALLABLE = (
    "left out: Qwen2.5-Math's grader and OpenRLHF's example reward function are in no package of the index"
)


def cases(path: Path) -> list[tuple[str, str, bool]]:
    """(response, label, right) of the clear cases that are right or wrong."""
    if not path.exists():
        return [(rf"\boxed{{{answer}}}", label, right) for answer, label, right, _ in PAIRS]
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(row["response"], row["label"], row["expected"] == "correct") for row in rows if not row["debatable"]]


def install(folder: Path) -> None:
    for package in PACKAGES:
        name, _, version = package.partition("==")
        if not list(folder.glob(f"{name}-{version}.dist-info")):
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), package]
            if subprocess.run(command, capture_output=True).returncode:
                print(f"{package} does not install here")


def measure(answer_format: str, rows: list[tuple[str, str, bool]], timeout_s: float) -> dict:
    """Counts of wrong verdicts, and answers a second of one warm process."""
    responses, labels, _ = zip(*rows, strict=True)
    with load_grader(answer_format, workers=1, timeout_s=timeout_s) as grader:
        grader.grade(responses[:20], labels[:20])
        start = time.perf_counter()
        verdicts = [grade.verdict for grade in grader.grade(list(responses), list(labels))]
        seconds = time.perf_counter() - start
    wrong, right = sum(not r for *_, r in rows), sum(r for *_, r in rows)
    passed = sum(v == "correct" and not r for v, (*_, r) in zip(verdicts, rows, strict=True))
    missed = sum(v != "correct" and r for v, (*_, r) in zip(verdicts, rows, strict=True))
    return {
        "false_positives": passed,
        "false_positive_rate": round(passed / wrong, 4),
        "false_negatives": missed,
        "false_negative_rate": round(missed / right, 4),
        "timeouts": verdicts.count("timeout"),
        "errors": verdicts.count("error"),
        "answers_per_second": round(len(rows) / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--others", type=Path, default=ROOT / "build" / "other_graders", metavar="FOLDER")
    parser.add_argument("--timeout-s", type=float, default=5.0)
    args = parser.parse_args()
    rows = cases(args.cases)
    install(args.others)
    os.environ["OTHER_GRADERS"] = str(args.others)
    print(f"{len(rows)} clear cases, {sum(r for *_, r in rows)} right and {sum(not r for *_, r in rows)} wrong answers")
    print(f"{'':<38}{'wrong, passed':>15}{'right, refused':>16}{'time-outs':>11}{'errors':>8}{'a second':>10}")
    results = {}
    for name, found in GRADERS.items():
        try:
            spec = found if name == "openrlhf-unlearn" else f"{ROOT}/benchmarks/other_graders.py:{found}"
            r = results[name] = measure(spec, rows, args.timeout_s)
        except UserError as error:
            print(f"{name:<38}left out: {error}")
            continue
        passed = f"{r['false_positives']} ({r['false_positive_rate']:.1%})"
        missed = f"{r['false_negatives']} ({r['false_negative_rate']:.1%})"
        counts = f"{r['timeouts']:>11}{r['errors']:>8}{r['answers_per_second']:>10}"
        print(f"{name:<38}{passed:>15}{missed:>16}{counts}", flush=True)
    print(NOT_INSTALLABLE)
    ours = results["openrlhf-unlearn"]
    others = [r["answers_per_second"] for name, r in results.items() if name.startswith("math-verify")]
    print(
        json.dumps(
            {
                "benchmark": "graders",
                "ratio": ours["false_positive_rate"],
                "bar": 0.02,
                "better": "lower",
                "right_graded_correct": round(1 - ours["false_negative_rate"], 4),
                "right_graded_correct_bar": 0.95,
                "speed_of_bare": round(ours["answers_per_second"] / statistics.mean(others), 2),
                "cases": str(args.cases.name) if args.cases.exists() else "tests/grading/pairs.py",
                "graders": results,
            }
        )
    )


if __name__ == "__main__":
    main()
