"""What examples/real.sh, real_families.py and real_page.py decide, without a model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openrlhf_unlearn.labels.classify import classify, save
from openrlhf_unlearn.store.run_dir import read_json, write_json
from tests.labels.runs import make_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(monkeypatch):
    """The scripts of examples/ as modules."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    import real_families
    import real_page
    import real_stages

    return real_families, real_page, real_stages


def script(*words, cwd=ROOT, **environment) -> subprocess.CompletedProcess:
    given = {"UNLEARN_PYTHON": sys.executable, **os.environ, **environment}
    return subprocess.run(["bash", *map(str, words)], env=given, cwd=cwd, capture_output=True, text=True)


def function(name: str) -> str:
    """A function of real.sh, as its text."""
    text = (ROOT / "examples" / "real.sh").read_text()
    begin = text.index(f"\n{name}() {{")
    return text[begin : text.index("\n}\n", begin) + 3]


def test_the_prompts_that_choose_train_and_are_held_out_are_three_parts(scripts):
    rows = [{"prompt": f"{family}{i}", "datasource": family} for family in "ab" for i in range(9)]
    screen, train, rest = scripts[0].parts(rows, screened=2, size=4)
    assert [row["prompt"] for row in train] == ["a2", "a3", "a4", "a5", "b2", "b3", "b4", "b5"]
    assert (len(screen), len(rest)) == (4, 6)
    assert sorted(row["prompt"] for row in screen + train + rest) == sorted(row["prompt"] for row in rows)


def test_nothing_is_trained_where_all_is_solved(scripts, tmp_path, monkeypatch):
    families = scripts[0]
    (tmp_path / "questions.jsonl").write_text('{"prompt": "1", "datasource": "a"}\n')
    monkeypatch.setattr(families, "family_rates", lambda run: {"a": 0.9})
    monkeypatch.setattr(families.RunDir, "open", lambda path: path)
    monkeypatch.setattr(sys, "argv", ["real_families.py", "choose", str(tmp_path)])
    with pytest.raises(SystemExit, match="harder CANDIDATES"):
        families.main()


@pytest.mark.parametrize(("there", "found"), [([6, 12, 18], "12"), ([7, 14, 21], "14"), ([4], "4"), ([], "")])
def test_halfway_is_the_checkpoint_nearest_to_it(tmp_path, there, found):
    for step in there:
        (tmp_path / f"global_step{step}").mkdir()
    said = script("-euc", f"{function('halfway')}\nSTEPS=24\nhalfway {tmp_path}")
    assert said.returncode == 0
    assert said.stdout.strip().removeprefix(f"{tmp_path}/global_step") == found


def test_one_of_the_newest_three_checkpoints_is_of_halfway():
    """The host keeps so many; `plan` says when they are written."""
    loop = 'for EPISODES in {1..29}; do flags=(); plan 1; echo "$STEPS ${flags[1]}"; done'
    said = script("-euc", f"{function('plan')}\nBATCH=1\n{loop}").stdout
    for steps, every in (map(int, line.split()) for line in said.splitlines()):
        kept = list(range(every, steps + 1, every))[-3:]
        assert min(abs(step - steps / 2) for step in kept) <= max(1, every / 2)
    assert steps == 29


def test_steps_are_of_the_prompts_that_there_are():
    plan = function("plan")
    assert script("-euc", f"{plan}\nBATCH=16 EPISODES=2 flags=(); plan 161; echo $STEPS").stdout == "20\n"
    done = script("-euc", f"{plan}\nBATCH=16 EPISODES=2 flags=(); plan 15")
    assert done.returncode == 1
    assert "15 prompts, and a step takes 16" in done.stderr


def test_another_setting_is_refused_by_name_and_a_folder_is_where_the_user_stands(tmp_path):
    (tmp_path / "mine").mkdir()
    settings = function("settings")
    keep = f"{settings}{function('keep_settings')}"
    begin = f"REAL={tmp_path}/mine RUNS=1 FAMILIES=2 PROMPTS=8 HELD_OUT=2 EPISODES=1 SAMPLES=4 PROBED=6 SHOTS=3"
    begin = f"{keep}\n{begin} SCREENED=4 BATCH=8 ROLLOUTS=4 START=smollm2 MORE=()\nkeep_settings; RUNS=3; keep_settings"
    assert script("-euc", begin).returncode == 0, "more runs may be asked for"
    assert "RUNS=3" in (tmp_path / "mine" / "settings.txt").read_text()
    done = script(ROOT / "examples/real.sh", "mine", cwd=tmp_path, SHORT="1", PROMPTS="16", RUNS="1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{tmp_path}/mine was begun with PROMPTS=8, not PROMPTS=16" in done.stderr


def test_luck_is_said(scripts):
    hard = {"n": 66}
    said = scripts[1].luck(
        {
            "tau": 0.1, "samples": {"final": 16}, "runs": ["one"], "hard": hard, "learnable_by_chance": 4.25,
            "expected_label_errors": 9.0,
        }
    )  # fmt: skip
    assert "2 of 16 right" in said
    assert "4.2 of the 66 hard" in said
    assert "probability 0.69" in said


def test_intervals_are_over_families_where_there_are_enough(scripts):
    over = scripts[1].over_families
    families = np.repeat(np.arange(10), 20)
    yes = families < 3  # all prompts of a family alike: ten draws, not two hundred
    low, high = over(lambda kept: float(yes[kept].mean()), families)
    assert low < 0.0 < 0.6 < high
    assert over(lambda kept: float(yes[kept].mean()), families % 6) is None


def test_controls_as_good_and_prompts_read_are_counted(scripts):
    page = scripts[1]
    agreement = {name: {"all": {"value": value}} for name, value in (("gradient", 0.7), ("cosine", 0.8), ("text", 0.3))}
    assert page.as_good(agreement)[1].endswith("or better: cosine.")
    assert page.as_good({"gradient": {"all": {"value": 0.7}}}) == []
    assert page.read_tokens({"total_length": 90.0, "response_length": 10.0}, 8) == 2.0
    assert page.correlated({"correlation": 0.9, "prompts": 45}) == "0.90 (0.82 to 0.94)"


def test_stages_add_up(scripts, tmp_path):
    lines = [("training 0", 60, 9.0), ("training 0", 120, 11.0), ("probe", 60, 3.0)]
    text = "".join(json.dumps({"stage": s, "seconds": t, "peak_gb": p}) + "\n" for s, t, p in lines)
    (tmp_path / "stages.jsonl").write_text(text)
    assert scripts[1].stages(tmp_path)[-3:] == [
        "| training 0 | 3.0 | 11.0 |",
        "| probe | 1.0 | 3.0 |",
        "| all | 4.0 | 11.0 |",
    ]


def test_learned_by_heart_is_said_where_held_out_prompts_did_not_follow(scripts):
    page, rng = scripts[1], np.random.default_rng(0)
    names = [f"f{i}" for i in range(8)]
    gains = dict(zip(names, rng.normal(0.2, 0.03, 8), strict=True))
    followed = {name: gain + 0.02 * (-1) ** i for i, (name, gain) in enumerate(gains.items())}
    none = dict(zip(names, rng.normal(0, 0.03, 8), strict=True))
    assert "learned by heart" in page.by_heart(gains, none)[1]
    (_, said) = page.by_heart(gains, followed)
    assert "held out" in said and "by heart" not in said
    assert page.by_heart(dict(list(gains.items())[:7]), none) == [], "too few families for an interval over them"
    assert page.changes({"a": 0.1, "b": 0.2, "c": 0.5}, {"a": 0.3, "b": 0.2}, {"a": "f", "b": "f"}) == {
        "f": pytest.approx(0.1)
    }


def test_pass_rates_are_shares_of_what_the_run_counts_as_positive(scripts, tmp_path):
    """And not mean rewards, which are 0.5 for samples none of which is above 0.5."""
    families, page, _ = scripts
    run = make_run(tmp_path / "run-0" / "run", [0, 8, 32], [8, 8, 32])
    write_json(run.run_json, {**read_json(run.run_json), "positive": {"by": "reward", "threshold": 1.0}})
    assert families.family_rates(run) == {"test": 0.0}
    save(classify([run.path], threshold=0.5), [run.path])
    assert families.family_rates(run) == {"test": pytest.approx(40 / 96)}
    line = page.families(tmp_path, [run], tmp_path / "page.md")[-1]
    assert line.startswith("| `test` | 3 | 0.42 ") and "| 0.50 " in line and line.endswith("| 2 | 1 | 0 | 0 | 0 |")
    assert page.curves(tmp_path, [run], tmp_path / "page.md")[-1] == "| 0 | 0.00 | 0.12 | — | 0.42 | — | 0.50 |"
