"""What users write, as a type checker must see it: no error but where a comment expects one (tests/test_types.py)."""
# pyright: basic, reportUnnecessaryTypeIgnoreComment=error

from pathlib import Path

from typing_extensions import assert_type

from openrlhf_unlearn import (
    AnalyzeOptions,
    Classification,
    ClassifyOptions,
    Decision,
    Diagnosis,
    Endpoint,
    Evaluation,
    FilterConfig,
    Forecast,
    Group,
    Limits,
    MathGrader,
    RunDir,
    SampleFilter,
    analyze,
    classify,
    compare,
    diagnose,
    evaluate,
    export,
    forecast,
    judge,
    models,
    probe,
    save_labels,
    sft_set,
    tasks,
    transfer,
)
from openrlhf_unlearn.interventions.judged import Judged
from openrlhf_unlearn.store.probes import ProbeNumbers
from openrlhf_unlearn.worlds.tasks import TaskRow


def labels() -> None:
    found = classify(["run"])
    assert_type(found, Classification)
    assert_type(classify("run", tau=0.2), Classification)
    assert_type(classify(ClassifyOptions(("run",), rule="paper-code")), Classification)
    save_labels(found, ["run"])
    print(found.table.to_pylist(), RunDir("run").evaluation_tags())


def verbs() -> None:
    assert_type(evaluate("model", "run", "initial", n=32), Evaluation)
    assert_type(diagnose(["run"]), Diagnosis)
    assert_type(forecast("run"), Forecast)
    assert_type(probe(["model"], "run", ["initial"]), dict[str, ProbeNumbers])
    assert_type(models("run", ["base=a", "mid=b"]), list[str])
    assert_type(judge("run", tag=["initial"]), dict[str, Judged])
    assert_type(tasks(("gcd",), Path("o.jsonl")), list[TaskRow])
    assert_type(export("run", Path("o.json"), format="skip"), Path)
    numbers, sentences = compare("before", "after")
    print(numbers["solved"], sentences, compare("before", "after").sentences)
    print(analyze(AnalyzeOptions(runs=["run"], offline=True)).numbers["groups"])
    made = sft_set("run", Path("o.jsonl"), endpoint=Endpoint("m"), limits=Limits(plan=True))
    print(made.output)  # pyright: ignore[reportOptionalMemberAccess]
    transfer("run", verify=8)


def refused() -> None:
    classify(["run"], tuaa=3)  # pyright: ignore[reportCallIssue]
    classify(["run"], tau="0.1")  # pyright: ignore[reportArgumentType]
    export("run", Path("o.json"), fromat="skip")  # pyright: ignore[reportCallIssue]


class Mine(SampleFilter):
    def __init__(self, config: FilterConfig) -> None:
        super().__init__(config)

    def decide(self, group: Group) -> Decision:
        return super().decide(group)


def graded() -> list[str]:
    with MathGrader(2, 5.0) as grader:
        return [grade.verdict for grade in grader.grade([r"\boxed{1}"], ["1"])]
