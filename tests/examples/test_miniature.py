"""The miniature: the host accepts every training it makes, its teacher follows the rule, its page the numbers."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.host.flags import check_launch
from openrlhf_unlearn.interventions.client import Client
from openrlhf_unlearn.interventions.endpoint import Endpoint, Limits
from openrlhf_unlearn.interventions.journal import Journal
from openrlhf_unlearn.interventions.problems import solve_request
from openrlhf_unlearn.interventions.rubric import judge_request
from openrlhf_unlearn.store.run_dir import RunDir, write_table
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, full_answer, rules, texts
from tests.report import worlds

EACH = 40  # prompts of a group: a third of them leave the interval of a rate near 0 wider than the threshold
PAPER = Path(__file__).parents[2] / "examples" / "paper"
sys.path.insert(0, str(PAPER))
import miniature_claims as claims  # noqa: E402
from world_teacher import Teacher, handler, judgement  # noqa: E402


def miniature(folder: Path, *steps: str, **environment: str) -> subprocess.CompletedProcess:
    words = ["bash", PAPER / "miniature.sh", folder, *steps]
    return subprocess.run(
        words, env={"UNLEARN_PYTHON": sys.executable, **os.environ, **environment}, capture_output=True, text=True
    )


def test_a_dry_run_prints_every_training_and_the_host_accepts_each(tmp_path):
    done = miniature(tmp_path / "m", DRY_RUN="print")
    assert done.returncode == 0, done.stderr
    launches = [line.split("openrlhf.cli.train_ppo ")[1] for line in done.stdout.splitlines() if "train_ppo" in line]
    # Three runs, baseline and three interventions, 64 rollouts, the mixture.
    assert len(launches) == 9 and "openrlhf.cli.train_sft" in done.stdout
    for words in launches:
        check_launch("train_ppo", words.replace("\\", "").split())
    assert not (tmp_path / "m").exists()


def test_a_step_names_the_one_that_it_needs(tmp_path):
    done = miniature(tmp_path / "m", "k64")
    assert done.returncode == 1 and f"first: bash examples/paper/miniature.sh {tmp_path / 'm'} runs" in done.stderr
    done = miniature(tmp_path / "m", "runs", "k65", DRY_RUN="print")
    assert done.returncode == 2 and "no step k65" in done.stderr


# The teacher -------------------------------------------------------------------------------------------------------


def ask(shape: str | None, system: str, text: str) -> dict:
    asked = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}]}
    return asked | ({"response_format": {"json_schema": {"name": shape}}} if shape else {})


def test_the_teacher_solves_and_writes_by_the_rule():
    teacher = Teacher({"setting": "standard", "seed": 0})
    for problem in draw_prompts(SETTINGS["standard"], 0)[0][:40]:
        if problem.cause != "wrong_label":  # by the letter's rule it would be another
            assert teacher.answer(ask(None, "Solve", problem.prompt)) == full_answer(problem)
    asked = f"The problem:\n{problem.prompt}\n\nIts final answer: {problem.label}"
    made = json.loads(teacher.answer(ask("Problems", "Write 5 new problems", asked)))["problems"]
    assert len({p["question"] for p in made} - {problem.prompt}) == 5
    assert all(p["question"][0] == problem.letter and p["solution"].endswith(f"{{{p['answer']}}}<eos>") for p in made)


def test_the_judge_scores_the_working_not_the_luck():
    easy, lucky = (
        next(p for p in draw_prompts(SETTINGS["standard"], 0)[0] if p.cause == x) for x in ("known", "beyond")
    )
    good = full_answer(easy)
    box, slip = f"\\boxed{{{easy.label}}}", str(int(good[2]) % 9 + 1)
    one_slip = good[:2] + slip + good[3:]
    carried = one_slip.replace(box, f"\\boxed{{{easy.label[0]}{slip}{easy.label[2:]}}}")
    scores = [judgement(easy, 0, text)["score"] for text in (good, carried, one_slip, box + "<eos>", "?")]
    assert scores == [5, 4, 1, 0, 0]
    assert judgement(easy, 0, full_answer(easy, "1111"))["score"] == 2
    # A lucky answer and an unlucky one are worked out alike.
    assert {
        judgement(lucky, 0, texts(method, lucky.digits)[3])["score"] for method in rules(0)[lucky.letter].methods
    } == {5}


def test_the_teacher_answers_the_judges_own_client(tmp_path):
    problem = next(p for p in draw_prompts(SETTINGS["standard"], 0)[0] if p.cause == "known")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(Teacher({"setting": "standard", "seed": 0})))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    async def ask_both():
        endpoint = Endpoint("rule", f"http://127.0.0.1:{server.server_port}/v1")
        journal = Journal(tmp_path / "answers.jsonl", 10, 10**6)
        async with Client(endpoint, journal, Limits(tries=1)) as client:
            solved = await client.ask(solve_request(problem.prompt, 100, None))
            return solved, await client.ask(judge_request(problem.prompt, f"\\boxed{{{problem.label}}}", 0, 100, None))

    solved, judged = asyncio.run(ask_both())
    server.shutdown()
    server.server_close()
    assert solved.text == full_answer(problem) and judged.value.score == 0


# The page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "low, high, verdict", [(0.2, 0.3, "agree"), (-0.1, 0.2, "cannot say"), (-0.3, -0.2, "disagree")]
)
def test_a_verdict_is_where_the_whole_interval_lies(low, high, verdict):
    claim = claims.Claim("", "", "runs", "", claims.of.hard_share, above=0)
    assert claim.verdict(claims.Number((low + high) / 2, low, high)) == verdict
    assert claim.verdict(claims.Number(*[float("nan")] * 3)) == "cannot say"


def test_equal_values_decide_nothing_and_rates_have_an_interval():
    """A spread of 0 claims certainty, of a mean, of a difference and of a ratio."""
    cosines = claims.Claim("", "", "probe", "", claims.of.hard_share, above=0)
    equal, single = {str(i): 0.4 for i in range(50)}, {"0": 0.4}
    for number in (
        claims.of.mean(equal),
        claims.of.mean(single),
        claims.of.gap(single, {"1": 0.1}),
        claims.of.gap({"0": 0.4, "1": 0.5}, {"2": 0.1, "3": 0.1}),
    ):
        assert cosines.verdict(number) == "cannot say" and "(no interval)" in str(number)
    stays = claims.Claim("", "", "runs", "", claims.of.hard_share, below=0.1)
    none_right = {str(i): 0.0 for i in range(50)}
    assert 0.05 < claims.of.rate(none_right).high < 0.1 and stays.verdict(claims.of.rate(none_right)) == "agree"
    assert stays.verdict(claims.of.rate(dict(list(none_right.items())[:20]))) == "cannot say"


@pytest.mark.parametrize("size", [30, 60])
def test_intervals_of_differences_between_groups_hold(size):
    """Pass rates and clipped shares with most values 0, and rewards within [0, 1]: not only what is normal."""
    of, rng = claims.of, np.random.default_rng(size)
    held = defaultdict(list)
    for _ in range(300):
        a, b = (
            {f"{s}{i}": x for i, x in enumerate(rng.binomial(32, rng.beta(*p, size)) / 32)}
            for s, p in (("a", (0.6, 19.4)), ("b", (4, 0.8)))
        )
        few = {name: value * (rng.random() < 0.2) for name, value in a.items()}
        for name, number, truth in (
            ("rates apart", of.minus(of.rate(b), of.rate(a)), 4 / 4.8 - 0.03),
            ("few above 0", of.minus(of.rate(a), of.rate(few)), 0.03 - 0.006),
            ("means", of.gap(b, a), 4 / 4.8 - 0.03),
        ):
            held[name].append(number.low <= truth <= number.high)
    assert min(map(np.mean, held.values())) >= 0.90


@pytest.fixture
def tiny(tmp_path):
    """Two steps of a miniature: three runs, and an intervention that taught everything."""
    made = worlds.prompts(EACH)
    for seed in range(3):
        run = worlds.start(tmp_path / "runs" / str(seed) / "run", made)
        worlds.train(run, made, steps=10, seed=seed)
        worlds.evaluate(run, made, "initial", seed=seed)
        worlds.evaluate(run, made, "final", seed=seed)
    assert cli.main(["classify", *(str(tmp_path / "runs" / str(seed) / "run") for seed in range(3))]) == 0
    taught = worlds.start(tmp_path / "k64" / "run", made)
    worlds.evaluate(taught, [worlds.Prompt(p.text, p.label, "learnable") for p in made], "final")
    groups = [{"prompt_id": p.id, "group": p.kind} for p in made]
    write_table(tmp_path / "world" / "truth.parquet", pa.Table.from_pylist(groups))
    (tmp_path / "done").mkdir()
    for step in ("runs", "k64"):
        (tmp_path / "done" / step).write_text("120\n")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "runs-change.svg").write_text("<svg/>")
    return tmp_path


def test_a_ratio_of_equal_clipped_shares_has_no_interval(tiny):
    run = tiny / "hypotheses" / "baseline" / "run"
    shutil.copytree(tiny / "runs" / "0" / "run", run)
    mini = claims.Miniature(tiny)
    for path in (run / "clipping").glob("*.parquet"):
        rows = pq.read_table(path).to_pylist()
        for row in rows:
            row["positive_clip_fraction"] *= mini.groups.get(row["prompt_id"]) != "unlearnable"
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)
    assert str(claims.of.clip_ratio(mini)) == "0.000 (no interval)"


def test_the_page_of_a_tiny_miniature(tiny):
    words = [sys.executable, PAPER / "miniature_claims.py", tiny, "--to", tiny / "docs" / "page.md"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (tiny / "docs" / "page.md").read_text()
    rows = {cells[2]: cells for cells in (re.split(r" ?\| ?", line) for line in text.splitlines()) if len(cells) == 8}
    verdicts = {claim: cells[6] for claim, cells in rows.items()}
    assert verdicts["The learnable gain reward over training"] == "agree, by construction"
    assert verdicts["The unlearnable stay where they were"] == "agree, by construction"
    assert verdicts["Nor does training on them alone with 64 rollouts each"] == "disagree, by construction"
    assert verdicts["A curriculum does not carry over to them"] == "not run, by construction"
    open_claims = [claim for claim in claims.CLAIMS if not claim.construction]
    assert (
        f"Of {len(open_claims)} claims" in text and f"**{len(open_claims)} not run**" in text
    )  # the settled ones apart
    assert (
        "[agree](page/runs-change.svg), by construction" in text
        and (tiny / "docs" / "page" / "runs-change.svg").exists()
    )
    assert f"64 rollouts each: {claims.NO_RULE}" in text and "| k64 | 2 |" in text and str(tiny) not in text


def test_what_was_learned_by_heart_shows_beside_held_out_prompts(tiny):
    held = RunDir(tiny / "heldout" / "k64")
    made = worlds.prompts(EACH)
    others = [worlds.Prompt(p.text + "1", p.label, p.kind) for p in made]
    worlds.start(held.path, others)
    worlds.evaluate(held, others, "final")
    for name, prompts in {"truth": made, "heldout_truth": others}.items():
        rows = [{"prompt_id": p.id, "group": p.kind, "cause": "random"} for p in prompts if p.kind == "unlearnable"]
        write_table(tiny / "world" / f"{name}.parquet", pa.Table.from_pylist(rows))
    ((trained, heldout),) = [row["random"] for row in claims.of.trained_and_held(claims.Miniature(tiny)).values()]
    assert trained.value > 0.5 > 0.2 > heldout.value  # it was taught everything, and only what it was trained on
    assert claims.by_heart(trained, heldout).startswith("**")
    assert claims.by_heart(heldout, claims.of.NONE).endswith(" / –")


def test_nothing_is_said_to_be_learned_by_heart_where_the_difference_may_be_luck():
    rng, bold = np.random.default_rng(0), 0
    for _ in range(400):
        rates = rng.binomial(32, rng.beta(0.6, 19.4, (2, 40))) / 32
        sides = (claims.of.rate({str(i): x for i, x in enumerate(values)}) for values in rates)
        bold += claims.by_heart(*sides).startswith("**")
    assert bold <= 0.025 * 400 + 2 * (0.025 * 400) ** 0.5


def test_every_step_takes_the_first_of_the_seeds(tmp_path):
    done = miniature(tmp_path / "m", "k64", DRY_RUN="print", RUN_SEEDS="3 4")
    assert done.returncode == 0, done.stderr
    assert "runs/3/run/learnability.parquet" in done.stdout and "runs/0" not in done.stdout
