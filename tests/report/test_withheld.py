"""Data under which a sentence of the answer, or part of an advice, must not be said, beside data under which it is."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.report import advice
from openrlhf_unlearn.report.answer import _gradients, _now, _rewarded, _what
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.store.run_dir import RunDir, write_json
from tests.report.test_advice import given, seen, text_of
from tests.report.test_answer import runs_of


def gradients(low: float, high: float, equal: tuple | None = None, kind="plain", mean_kind="plain") -> str:
    found = {"kind": kind, "mean_kind": mean_kind, "unlearnable": 0.1, "learnable": 0.2, "auc": (low + high) / 2}
    if equal:
        equal = {"rollouts": 2, "auc": sum(equal) / 2, "low": equal[0], "high": equal[1]}
        equal["prompts"] = [12, 34]
    return Say(*_gradients(found | {"low": low, "high": high, "equal": equal}), "answer").text


@pytest.mark.parametrize(
    ("low", "high", "equal", "said"),
    [
        (0.6, 0.9, (0.6, 0.9), "tell them apart: "),
        (0.6, 0.9, None, "tell them apart, but perhaps only by their numbers of correct rollouts: "),
        (0.5, 0.9, (0.6, 0.9), "do not tell them apart for sure: "),
        (0.1, 0.4, (0.1, 0.4), "tell them apart, but the wrong way round: "),
        (0.1, 0.4, (0.6, 0.9), "tell them apart, but the wrong way round, and perhaps only by their numbers of"),
        (0.6, 0.9, (0.5, 0.9), "tell them apart, but perhaps only by their numbers of correct rollouts: "),
    ],
)
def test_gradients_tell_only_what_both_intervals_show(low, high, equal, said):
    assert gradients(low, high, equal).startswith(f"The gradients {said}")


def test_numbers_of_rollouts_are_no_doubt_about_cosines_without_their_noise():
    corrected = gradients(0.6, 0.9, (0.4, 0.6), kind="corrected", mean_kind="corrected")
    assert "perhaps only by" not in corrected and "by the plain cosine with just 2 correct rollouts" in corrected
    assert "of each, of the 12 and 34 prompts that have as many." in corrected
    assert "the noise of few rollouts taken out" in corrected and "plain, so few" not in corrected
    plain = gradients(0.6, 0.9)
    assert "plain, so few rollouts lower it" in plain and "taken out" not in plain and "with just" not in plain


def test_a_probe_that_ran_is_not_promised_again():
    material = runs_of(["unlearnable"] * 3, [1] * 3)

    def text(**probes) -> str:
        material.probes = probes
        return Say(*_rewarded(material), "answer").text

    def probed(label: str) -> SimpleNamespace:
        return SimpleNamespace(tag="initial", n_correct=np.ones(3), labels=np.array([label] * 3))

    says = "the probe would tell", "too few prompts were probed to say", "the probe is of earlier groups"
    for i, one in enumerate((text(), text(initial=probed("unlearnable")), text(initial=probed("mixed")))):
        assert [word in one for word in says] == [i == 0, i == 1, i == 2]


def test_nothing_is_said_of_prompts_that_nobody_looked_at():
    template, numbers = _what(SimpleNamespace(size=3, easy=0.1), {})
    assert Say(template, numbers, "answer").text == "No prompt of 3 was visited or evaluated yet."


def item(name: str, **numbers) -> advice.Advice:
    return advice.Advice(name, "", "", numbers, np.arange(2), "")


def now(advised: list[advice.Advice], provisional: bool = False, labelled: int = 9) -> str | None:
    found = _now(SimpleNamespace(provisional=provisional), {"easy": {"prompts": labelled}}, advised)
    return found and Say(*found, "answer").text


def test_what_to_do_now_needs_something_to_drop_or_to_settle():
    assert now([]) is None and now([item("evaluate")]) is None
    assert now([], provisional=True).startswith("These groups are provisional")
    assert now([], provisional=True, labelled=0) is None, "there are no groups yet"
    numbers = {"prompts": 2, "rollouts": 20, "total": 80, "share": 0.25}
    drop = now([item("drop", **numbers)])
    assert "surely not learned" in drop and "about" not in drop
    assert "20 of 80 rollouts (25 %, about 2" in now([item("drop", **numbers, hours=2.0)])


@pytest.mark.parametrize(
    "times", [(100, 200, 300), (300, 200, 100), (100, 100, 100), (100, 200), (-9, 200, 300), (900, 901, 902)]
)
def test_hours_are_not_told_by_files_whose_times_are_no_steps(tmp_path, times):
    """Copied files have the time of the copy; files older than the run are another's."""
    run, start = RunDir(tmp_path), 1_800_000_000
    write_json(run.run_json, {"schema_version": 1, "started": "2027-01-15T08:00:00+00:00"})
    for step, seconds in enumerate(times, 1):
        path = run.step_file("rewards", step)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (start + seconds, start + seconds))
    hours = advice.sampling_hours(SimpleNamespace(runs=[run]))
    assert hours == (pytest.approx(300 / 3600) if times == (100, 200, 300) else None)


def test_reasoning_is_only_mentioned_of_outliers_that_were_judged(monkeypatch):
    flagged = np.array([True, True])
    assert "judged" not in text_of(given(seen(["unlearnable"] * 2), flagged)["outliers"])
    monkeypatch.setattr(advice, "reasoning", lambda material: np.array([1.0, np.nan]))
    text = text_of(given(seen(["unlearnable"] * 2), flagged)["outliers"])
    assert "Of 1 judged, 1 reach the answer by poor reasoning" in text
