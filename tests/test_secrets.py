"""Marked secrets in flags, environment and URLs of every verb: none is in anything that was written or printed."""

import contextlib
import json
import os
import shlex
import shutil
import stat
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn import cli, masking
from openrlhf_unlearn.exchange.live import LiveWriter, Rollout
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json, write_json
from openrlhf_unlearn.store.trust import own
from tests.interventions.runs import make_run
from tests.interventions.server import Reply, Server
from tests.interventions.test_augment import solve, write
from tests.labels.runs import make_run as make_classifiable

MARK = "MaRkEdSeCrEt"
WANDB, HUB, TOKEN, PASSWORD, KEY, BODY = (
    f"{MARK}{name}" for name in ("Wandb", "Hub", "Token", "Password", "Key", "Body")
)
URL = f"https://user:{PASSWORD}@example.invalid/v1"
LAUNCH = (
    "python -m openrlhf.cli.train_ppo --plugin unlearn --actor.model_name_or_path base --data.prompt_dataset d.jsonl "
    f"--reward.remote_url r.py --ckpt.output_dir old --logger.wandb.key {WANDB} --vllm.num_engines 1 "
    "--actor.num_gpus_per_node 1 --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A run as an older version wrote it, with all its secrets; and the user's own in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(masking, "_remembered", set())
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name, value in {"OPENAI_API_KEY": KEY, "HF_TOKEN": TOKEN, "MY_ACCESS": KEY}.items():
        monkeypatch.setenv(name, value)
    run = make_run(tmp_path, 12)
    config = read_json(run.run_json)
    config["args"] |= {"logger": {"wandb": {"key": WANDB}}, "hub": {"token": HUB}, "proxy": URL}
    run.run_json.write_text(json.dumps({**config, "command": LAUNCH, "model": URL}))
    (run.path / "summary.json").write_text(json.dumps({"models": [], "endpoint": URL}))
    own(run.run_json)
    return tmp_path


def leaks(folder: Path, before: dict[Path, bytes], *texts: str) -> list[str]:
    """Where a marked secret is: in what was printed, or in a file that was written."""
    found = [text for text in texts if MARK.lower() in text.lower()]
    for path in folder.rglob("*"):
        found += [str(path)] if MARK.lower() in path.name.lower() else []
        if path.is_file() and path.read_bytes() != before.get(path):
            found += [str(path)] if MARK.lower().encode() in path.read_bytes().lower() else []
    return found


def run_verb(words: str, folder: Path, capsys) -> int:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    sys.argv = ["openrlhf-unlearn", *shlex.split(words)]
    try:
        code = cli.main(shlex.split(words))
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert leaks(folder, before, said.out, said.err) == []
    return code


ROWS = [
    ("classify run", 0),
    ("analyze run --offline --figure-files", 0),
    ("analyze run --offline --figure-files --format json", 0),
    ("export run --output o.json", 0),
    ("export run --output o --format verl-csv", 0),
    ("regrade run --out again", 0),
    ("forecast run", 1),
    ("sft-set --run run --from-run run --output s.jsonl --easy 3 --learnable 3 --unlearnable 3", 0),
    ("curriculum run --output c --dry-run", 0),
    (f"curriculum run --output c --dry-run --flags --logger.wandb.key {WANDB}x", 0),
    (f"curriculum run --output c --flags --no.such_token {WANDB}", 2),
    (f"import jsonl r.jsonl --run new --tag initial --model {URL}", 0),
    (f"import jsonl {URL} --run other --tag initial", 1),
    (f"evaluate --run run --tag new --model m --wandb-key {WANDB}", 2),
    (f"evaluate --run run --tag new --model m --reward {URL}", 1),
    (f"evaluate --run {URL} --tag new --model m", 1),
    (f"probe --run run --tag none --model {URL}", 1),
    (f"models run a={URL} b={URL} --trust-run", 1),
    (f"classify run --api-token={TOKEN}", 2),
    (f"train --plugin unlearn --logger.wandb.key {WANDB} --no.such_flag {TOKEN}", 2),
    ("judge run --tag initial --csv-out sheet.csv", 0),
    ("diagnose run --export review.csv", 0),
    (f"diagnose run --second {URL}", 1),
    ("hints run --output h --solutions s.jsonl --prompts ids.json", 0),
    (f"hints run --output h --kind abstract --model w --base-url {URL} --tries 1", 1),
    ("grade g.jsonl --output verdicts.jsonl", 0),
    (f"grade {URL}", 1),
    (f"compare run {URL}", 1),
    (f"transfer run --probe none --model {URL}", 1),
    (f"publish run --to {URL}", 1),
    (f"tasks gcd:seed={URL} --output t.jsonl", None),
    (f"demo r.jsonl --api-key {KEY}", 2),
    ("compare run after", 0),
    ("analyze run --offline; publish run --to site --markdown note.md", 0),
    ("publish run --to site --anonymise", 0),
    ("demo d --no-open", 0),
    ("examples into", 0),
    (f"microworld r.jsonl --seed {KEY}", 2),
    ("evaluate --run run --tag new --model model --trust-run --max-len 128 -n 2", 0),
    ("models run a=model b=model -n 2 --per-group 1 --trust-run", 0),
    ("probe --run run --tag initial --model model --prompts 4 --max-rollouts 2; transfer run --probe initial", 0),
    ("doctor", None),
    ("patch status", None),
]
NO_END = {
    "forecast": "twelve prompts are too few",
    "microworld": "it trains for a minute",
    "train": "test_training_writes_no_secret_and_follows_the_umask has what it writes",
}


def test_every_verb_is_searched_to_its_end():
    done = {line.split()[0] for words, code in ROWS if code in (0, None) for line in words.split("; ")} | {"augment"}
    assert done | set(NO_END) == set(cli.VERBS) and not done & set(NO_END)


@pytest.mark.parametrize(("words", "code"), ROWS, ids=[words for words, _ in ROWS])
def test_no_verb_writes_or_prints_a_secret(words, code, place, capsys, monkeypatch):
    verbs = {line.split()[0] for line in words.split("; ")}
    if verbs & {"curriculum", "hints", "sft-set", "train"}:
        pytest.importorskip("openrlhf")
    if "model" in words.split() or "a=model" in words:  # a tiny one, and an engine that tosses coins
        for needed in ("openrlhf", "peft"):
            pytest.importorskip(needed)
        from tests.evaluation.coins import Coins
        from tests.probe.runs import save_model

        save_model(place / "model")
        config = json.loads((place / "run" / "run.json").read_text())  # with its secrets
        config["args"]["reward"] = {"remote_url": "reward.py"}
        (place / "run" / "run.json").write_text(json.dumps(config))
        (place / "reward.py").write_text("def reward_func(queries, prompts, labels):\n    return {'rewards': 1.0}\n")
        tossed = lambda config, number: contextlib.nullcontext(Coins([0.5] * 12))  # noqa: E731
        monkeypatch.setattr("openrlhf_unlearn.evaluation.engines.engine_pool", tossed)
    if "compare" in verbs:
        shutil.copytree(place / "run", place / "after")
    (place / "r.jsonl").write_text('{"prompt": "1+1", "response": "2", "reward": 1}\n')
    (place / "g.jsonl").write_text('{"response": "2", "label": "2"}\n')
    ids = [row.prompt_id for row in Prompts.read(RunDir(place / "run")).rows()]
    (place / "ids.json").write_text(json.dumps(ids[:1]))
    (place / "s.jsonl").write_text(json.dumps({"prompt_id": ids[0], "solution": "First one adds. Then all."}))
    for line in words.split("; "):
        found = run_verb(line, place, capsys)
    assert code is None or found == code, line


@pytest.mark.parametrize("kind", ["says it", "refuses with it", "breaks with it"])
@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "MY_ACCESS"])
def test_an_endpoint_that_repeats_the_key_does_not_get_it_written(place, capsys, kind, variable, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv(variable, KEY)
    said = f"your key {KEY}, your other key {BODY} and your password {PASSWORD}; Authorization: Bearer {KEY}"
    replies = {
        "says it": lambda request, n: Reply(json.dumps({"findings": said, "score": 4})),
        "refuses with it": lambda request, n: Reply(status=401, error={"message": said}),
        "breaks with it": lambda request, n: Reply(status=400, error={"message": said}),
    }
    with Server(replies[kind]) as server:
        url = server.url.replace("http://", f"http://user:{PASSWORD}@")
        ends = f"--base-url {url} --model w --api-key-env {variable} --tries 1"
        extra = shlex.quote(json.dumps({"api_key": BODY, "seed": 1}))
        code = run_verb(f"judge run --tag initial --per-group 1 {ends} --extra-body {extra}", place, capsys)
        assert len(server.requests) >= 1
        assert server.requests[0]["api_key"] == BODY  # it was sent
    assert code == (0 if kind == "says it" else 1)
    if kind == "says it":
        assert masking.MASK in (place / "run" / "judgements" / "answers.jsonl").read_text()


def test_augment_writes_no_secret(place, capsys):
    pytest.importorskip("openrlhf")
    with Server(write) as writer, Server(solve) as solver:
        ends = f"--base-url {writer.url} --model w --check-model s --check-base-url {solver.url}"
        assert run_verb(f"augment similar --run run --output out {ends}", place, capsys) == 0


def test_a_live_writer_writes_no_secret(tmp_path):
    writer = LiveWriter(tmp_path / "run", model=URL)
    writer.add(1, [Rollout("1+1", "2", 1.0)])
    writer.close()
    assert RunDir(tmp_path / "run").run_json.exists() and leaks(tmp_path, {}) == []


def test_training_writes_no_secret_and_follows_the_umask(tmp_path, monkeypatch):
    """The plugin's own start, with the host's namespace as its parser makes it."""
    pytest.importorskip("openrlhf")
    from openrlhf_unlearn.host.flags import check_launch
    from openrlhf_unlearn.host.start import choose_run_dir, start_run

    monkeypatch.chdir(tmp_path)
    words = shlex.split(LAUNCH)[3:] + ["--reward.remote_url", URL, "--unlearn.run_dir", "run"]
    args = check_launch("train_ppo", words)
    before = os.umask(0o027)
    try:
        run = choose_run_dir(args)
        start_run(args, words, run)
    finally:
        os.umask(before)
    text = run.run_json.read_text()
    assert MARK not in text
    assert json.loads(text)["args"]["logger"]["wandb"]["key"] == masking.MASK
    assert stat.S_IMODE(run.run_json.stat().st_mode) == 0o640
    args.ckpt.load_enable = True
    start_run(args, words, run)  # a resume sees that it is the same run


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_and_folders_follow_the_umask(tmp_path, mask, mode):
    run = make_classifiable(tmp_path / "made", [0, 16], [0, 32])
    before = os.umask(mask)
    try:
        write_json(RunDir(tmp_path / "new").run_json, {})
        assert cli.main(["classify", str(run)]) == 0
        assert cli.main(["export", str(run), "--format", "verl-csv", "--output", str(tmp_path / "out")]) == 0
    finally:
        os.umask(before)
    for path in [tmp_path / "new" / "run.json", run.learnability, run.summary, *(tmp_path / "out").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    for folder in (tmp_path / "new", tmp_path / "out"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
