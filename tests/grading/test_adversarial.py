"""Hostile answers of every kind (adversarial.py): a verdict for each, nothing executed, nothing left behind.

`python benchmarks/grading.py --adversarial` grades all of them and measures the time and memory of each.
"""

from collections import Counter

from openrlhf_unlearn.grading import VERDICTS, MathGrader
from tests.grading.adversarial import corpus
from tests.grading.processes import alive, ended, groups, peak_mb


def test_the_corpus_is_survived_and_what_waits_behind_it_is_graded_right(tmp_path):
    sentinel = tmp_path / "executed"
    hostile = corpus(sentinel)[::8]  # two or more of each kind, one of each frame of an attack
    fair = [
        (rf"\boxed{{\frac{{{n}}}{{6}}}}", f"{n}/6" if n % 2 else "1/7", n % 2 == 1) for n in range(1, len(hostile) + 1)
    ]
    pairs = [
        pair for bad, (answer, label, _) in zip(hostile, fair, strict=True) for pair in ((bad, "7"), (answer, label))
    ]
    with MathGrader(workers=2, timeout_s=1.0, memory_mb=512) as grader:
        grades = grader.grade(*zip(*pairs, strict=True))
        # The deadline is a second of wall time: a machine that stands still for one may cost a fair answer, once.
        late = [i for i in range(1, len(pairs), 2) if grades[i].verdict == "timeout"]
        assert len(late) <= 2
        for i in late:
            (grades[i],) = grader.grade([pairs[i][0]], [pairs[i][1]])
        started = groups(grader)
        peaks = [peak_mb(pid) for group in started for pid in alive(group)]
    verdicts = Counter(grade.verdict for grade in grades[::2])
    assert set(verdicts) <= set(VERDICTS)
    assert not sentinel.exists()
    assert [grade.verdict == "correct" for grade in grades[1::2]] == [right for *_, right in fair], verdicts
    assert all(map(ended, started))
    assert max(peaks) < 512
