r"""Our grader against bare math-verify on one thread, side by side in one run.

    python benchmarks/grading.py [--prompts 40] [--rounds 5]      throughput, with one worker and with two
    python benchmarks/grading.py --adversarial [--timeout-s 2]    time and memory of each hostile answer
    python benchmarks/grading.py --verdicts [--pairs 10000]       real answers: right ones found, wrong ones refused

Throughput: every prompt has eight responses, as in training: its answer in four writings and four other answers. None
is a plain integer, so that all need mathematics. Bare math-verify parses label and response and verifies, its alarms
on, as its documentation has it. Both are warm; the three take turns, and medians of the rounds' ratios are reported: by
the clock, and by processor time for machines that are busy with other work.
Without real problems (OPENRLHF_UNLEARN_DATA, or ../shared/data) the formulas of tests/grading/pairs.py stand in.
"""

import argparse
import json
import logging
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.grading import MathGrader  # noqa: E402
from tests.grading import real  # noqa: E402
from tests.grading.adversarial import corpus  # noqa: E402
from tests.grading.pairs import PAIRS  # noqa: E402
from tests.grading.processes import alive, ended, groups, peak_mb, processor_s  # noqa: E402


def labels() -> list[str]:
    texts = real.answers() or sorted({label for _, label, *_ in PAIRS})
    return [text for text in texts if not real.bare(text).lstrip("-").isdigit() and len(text) < 100]


def workload(texts: list[str], rng: random.Random, prompts: int) -> list[tuple[str, str]]:
    pairs = []
    for label in rng.sample(texts, min(prompts, len(texts))):
        answers = [label, label, label, label, *rng.sample(texts, 4)]
        fits = ["boxed", "dollars", "spacing", "boxed"]
        pairs += [(real.WRITINGS[fits[i % 4]](answer), f"${real.bare(label)}$") for i, answer in enumerate(answers)]
    return pairs


def bare(pairs: list[tuple[str, str]]) -> None:
    from math_verify import parse, verify

    for response, label in pairs:
        verify(parse(label), parse(response))


def throughput(args: argparse.Namespace) -> dict:
    rng, texts = random.Random(args.seed), labels()
    logging.disable(logging.WARNING)
    with MathGrader(1, timeout_s=20) as one, MathGrader(2, timeout_s=20) as two:
        sessions = groups(one) + groups(two)
        kinds = {
            "bare": bare,
            "one worker": lambda pairs: one.grade(*zip(*pairs, strict=True)),
            "two workers": lambda pairs: two.grade(*zip(*pairs, strict=True)),
        }
        wall: dict[str, list[float]] = {kind: [] for kind in kinds}
        processor: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(args.rounds + 1):  # the first warms up
            pairs = workload(texts, rng, args.prompts)
            for kind in sorted(kinds, reverse=bool(number % 2)):
                spent = used(kinds[kind], pairs, sessions)
                if number:
                    wall[kind].append(len(pairs) / spent[0])
                    processor[kind].append(len(pairs) / spent[1])
            if number:
                print("  ".join(f"{kind} {wall[kind][-1]:.0f}/s" for kind in kinds), flush=True)
    return {
        "benchmark": "grading",
        "ratio": ratio(wall, "one worker"),
        "bar": 0.8,
        "better": "higher",
        "two_workers_ratio": ratio(wall, "two workers"),
        "two_workers_bar": 1.6,
        "answers_per_second": {kind: round(statistics.median(rates), 1) for kind, rates in wall.items()},
        # what the ratios are where every process has a processor of its own
        "by_processor_time": [ratio(processor, "one worker"), round(2 * ratio(processor, "two workers"), 3)],
        "load": os.getloadavg()[0],
        "real_answers": bool(real.answers()),
    }


def used(work, pairs: list[tuple[str, str]], sessions: list[int]) -> tuple[float, float]:
    """Seconds by the clock and of the processors, those of all processes that take part."""

    def processor() -> float:
        return time.process_time() + sum(map(processor_s, sessions))

    start = time.perf_counter(), processor()
    work(pairs)
    return time.perf_counter() - start[0], processor() - start[1]


def ratio(rates: dict[str, list[float]], kind: str) -> float:
    """The median over the rounds of this kind's rate by that of bare math-verify."""
    return round(statistics.median(a / b for a, b in zip(rates[kind], rates["bare"], strict=True)), 3)


class Watch(threading.Thread):
    """Samples the resident memory of a session's largest process, so that what a killed one had is not lost with it."""

    def __init__(self, session: int):
        super().__init__(daemon=True)
        self.session, self.peak = session, 0.0
        self.start()

    def run(self) -> None:
        while pids := alive(self.session):
            self.peak = max([self.peak, *map(peak_mb, pids)])
            time.sleep(0.05)


def adversarial(args: argparse.Namespace) -> dict:
    """One answer at a time, so that its own time and its process's memory are seen."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        sentinel = Path(scratch) / "executed"
        hostile = corpus(sentinel)
        with MathGrader(1, timeout_s=args.timeout_s, memory_mb=args.memory_mb) as grader:
            grader.grade([r"\boxed{\frac12}"], ["0.5"])
            session = groups(grader)[0]
            watch = Watch(session)
            for answer in tqdm(hostile, "hostile", disable=None):
                start = time.perf_counter()
                verdict = grader.grade([answer], ["7"])[0].verdict
                rows.append((time.perf_counter() - start, verdict, answer))
        executed = sentinel.exists()
    for taken, verdict, answer in sorted(rows, reverse=True)[:10]:
        print(f"{taken:6.2f} s  {verdict:<10} {answer[:80]!r}")
    worst = max(taken for taken, *_ in rows)
    return {
        "benchmark": "grading_adversarial",
        "ratio": round(worst / (args.timeout_s + 0.5), 3),
        "bar": 1.0,
        "better": "lower",
        "answers": len(rows),
        "worst_s": round(worst, 3),
        "worst_mb": round(watch.peak),
        "memory_limit_mb": args.memory_mb,
        "verdicts": {v: sum(row[1] == v for row in rows) for v in sorted({row[1] for row in rows})},
        "executed": executed,
        "processes_left": not ended(session),
    }


def verdicts(args: argparse.Namespace) -> dict:
    texts = real.answers()
    if not texts:
        sys.exit(f"no real problems in {real.FOLDER}; set OPENRLHF_UNLEARN_DATA")
    right = [(write(text), text) for write in real.WRITINGS.values() for text in texts]
    wrong = [(rf"\boxed{{{real.bare(a)}}}", b) for a, b in real.different(texts, args.pairs, args.seed)]
    with MathGrader(2, timeout_s=args.timeout_s) as grader:
        missed = failures(grader, right, False)
        passed = failures(grader, wrong, True)
    return {
        "benchmark": "grading_verdicts",
        "ratio": round(1 - len(missed) / len(right), 5),
        "bar": 0.995,
        "better": "higher",
        "answers": len(texts),
        "graded": len(right),
        "false_positives": len(passed) / len(wrong),
        "false_positives_bar": 0.001,
        "pairs": len(wrong),
    }


def failures(grader: MathGrader, pairs: list[tuple[str, str]], correct: bool) -> list:
    """The pairs whose being graded correct is `correct`, printed."""
    found = []
    steps = range(0, len(pairs), 200)
    for start in tqdm(steps, "wrong, but called right" if correct else "right, but called wrong", disable=None):
        chunk = pairs[start : start + 200]
        for (response, label), grade in zip(chunk, grader.grade(*zip(*chunk, strict=True)), strict=True):
            if (grade.verdict == "correct") == correct:
                found.append((response, label))
                tqdm.write(f"{grade.verdict:<10} {response!r} for {label!r}", file=sys.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--adversarial", action="store_true", help="time and memory of each hostile answer")
    add("--verdicts", action="store_true", help="verdicts on real answers, the failures printed")
    add("--prompts", type=int, default=40, help="prompts a round, eight responses each")
    add("--rounds", type=int, default=5)
    add("--pairs", type=int, default=10_000, help="pairs of different answers for --verdicts")
    add("--timeout-s", type=float, default=2.0)
    add("--memory-mb", type=int, default=1024)
    add("--seed", type=int, default=0)
    args = parser.parse_args()
    kind = adversarial if args.adversarial else verdicts if args.verdicts else throughput
    print(json.dumps(kind(args)))


if __name__ == "__main__":
    main()
