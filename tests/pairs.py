"""Commands on one run, started at the same moment, as processes of their own.

    python -m tests.pairs FOLDER crowd [TIMES]         all VERBS at once, each of them twice
    python -m tests.pairs FOLDER pairs [TIMES [K/N]]   every pair of VERBS; K/N: only the K-th of N parts of all pairs

Prints one JSON line a crowd or pair: what went wrong in any of the TIMES, [] if nothing.

The processes are forked from this one, which has imported what they need, so that they do start together and cost no
more than their work. The engine of `evaluate` tosses coins: what is tried is what happens to the files.
"""

import contextlib
import csv
import gc
import importlib
import importlib.util
import itertools
import json
import os
import shlex
import shutil
import sys
import threading
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from openrlhf_unlearn.store.trust import own
from tests.evaluation.coins import Coins
from tests.labels.runs import ids, make_run

SIZE, SAMPLES = 44, 8
EVALUATE = "--model model --data data.jsonl --input-key prompt --label-key label --max-len 64 --reward reward.py -n 4"
LAUNCH = (
    "python -m openrlhf.cli.train_ppo --plugin unlearn --actor.model_name_or_path base --data.prompt_dataset d.jsonl "
    "--reward.remote_url r.py --ckpt.output_dir old --vllm.num_engines 1 --actor.num_gpus_per_node 1 "
    "--algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8"
)
ALL = {
    "classify": "classify run",
    "analyze": "analyze run --offline --figure-files --format json",
    "import": "import jsonl rollouts.jsonl --run run --tag extra",
    "import another": "import jsonl rollouts.jsonl --run run --tag v1.5",
    "import steps": "import jsonl rollouts.jsonl --run new --columns step=step",
    "forecast": "forecast run",
    "judge": "judge run --csv-in sheet.csv --rater ada",
    "judge as another": "judge run --csv-in sheet.csv --rater bob",
    "sft-set": "sft-set --run run --from-run run --output sft.jsonl --easy 4 --learnable 4 --unlearnable 0",
    "export": "export run --format dataset --output exported",
    "regrade": "regrade run --out regraded --workers 1",
    "evaluate": f"evaluate --run run --tag sampled {EVALUATE}",
    "evaluate another": f"evaluate --run run --tag sampled-2 {EVALUATE} --chunk 20",
    "probe": "probe --run run --tag final --model model --prompts 8 --max-rollouts 2 --lora-rank 2",
    "curriculum": "curriculum run --output stages --dry-run",
    "diagnose": "diagnose run",
    "hints": "hints run --output hints --solutions solutions.jsonl --shares 50 --grading-workers 1",
    "compare": "compare other run",
    "publish": "publish run --to site --markdown note.md",
    "transfer": "transfer run --probe initial",
}
LEFT_OUT = {
    **dict.fromkeys(("demo", "examples", "microworld", "tasks", "grade"), "writes a file or folder of its own, no run"),
    **dict.fromkeys(("doctor", "patch"), "is about what is installed"),
    "train": "is a training, which holds its run as a verb does: tests/host/test_start.py",
    "augment": "asks an endpoint, and writes a folder of its own",
    "models": "is evaluate, probe and analyze, which are here, one after the other",
}
NEEDS = {"export": "datasets", "evaluate": "openrlhf", "evaluate another": "openrlhf", "probe": "torch",
         "curriculum": "openrlhf", "hints": "openrlhf", "transfer": "torch"}  # fmt: skip
VERBS = {name: words for name, words in ALL.items() if name not in NEEDS or importlib.util.find_spec(NEEDS[name])}
SUMMARY = {"classify": "classify", "analyze": "report", "forecast": "forecast", "regrade": "regrade",
           "compare": "compare"}  # fmt: skip
ONE_TABLE = {"judge as another": "judge", "import another": "import"}  # of these one may have to wait for the other
AFTER_IMPORT = "has no samples of 5 prompts"  # classify, of those that an import has just added: as one by one
REFUSED = (AFTER_IMPORT, "is in use by", "is there already", "already holds", "exists; choose another")
EVALUATIONS = {"initial": SIZE * SAMPLES, "final": SIZE * SAMPLES, "extra": 300, "v1.5": 300,
               "sampled": SIZE * 4, "sampled-2": SIZE * 4}  # fmt: skip
MODULES = (
    "datasets torch transformers peft matplotlib.pyplot sklearn.linear_model sklearn.impute sklearn.preprocessing "
    "sklearn.model_selection openrlhf_unlearn.labels.classify openrlhf_unlearn.report.build "
    "openrlhf_unlearn.report.write openrlhf_unlearn.evaluation.prompts openrlhf_unlearn.interventions.judged "
    "openrlhf_unlearn.report.figures openrlhf_unlearn.probe.gather openrlhf_unlearn.probe.work"
)


def prepare() -> None:
    """Import what the verbs import, and give `evaluate` its coins."""
    for module in (*MODULES.split(), *(module for module, _ in cli.VERBS.values())):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(module)
    tqdm.set_lock(threading.RLock())  # its own is shared with forks: one that is stopped in it would stop all others
    tqdm.monitor_interval = 0  # a thread, which a fork has not
    if "probe" in VERBS:
        importlib.import_module("torch").set_num_threads(1)  # a fork cannot use the threads of its parent
    if "evaluate" in VERBS:
        engines = importlib.import_module("openrlhf_unlearn.evaluation.engines")
        engines.engine_pool = lambda config, number: contextlib.nullcontext(Coins([0.5] * SIZE))


def make(folder: Path) -> None:
    """The run that every crowd or pair gets a copy of, with the files that the verbs read."""
    run = make_run(folder / "run", [4] * 14 + [0] * 30, [8] * 14 + [0, 5] * 15, [4] * SIZE, n=SAMPLES)
    write_json(run.run_json, {**run.config().values, "command": LAUNCH})
    own(run.run_json)
    for tag in run.evaluation_tags():  # whole numbers in boxes, which no grading process is started for
        table = read_table(run.evaluation(tag))
        said = pa.array([rf"\boxed{{{i}}}" for i in range(len(table))])
        write_table(run.evaluation(tag), table.set_column(table.column_names.index("response"), "response", said))
    rows = [{"prompt": f"new {i % 5}", "response": "x", "reward": i % 2, "step": i % 3} for i in range(300)]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"prompt": f"question {i}", "label": str(i)} for i in range(SIZE)]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"prompt_id": name, "solution": "First one adds. Then one adds again."} for name in ids(SIZE)]
    (folder / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "reward.py").write_text("def reward_func(queries, prompts, labels):\n    return {'rewards': 1.0}\n")
    if "probe" in VERBS:
        from tests.probe.runs import save_model

        save_model(folder / "model")
    os.chdir(folder)
    assert cli.main(["classify", "run"]) == 0
    shutil.copytree("run", "other")  # compared, and not touched
    # What is published, and what transfer reads: by processes whose garbage is not in those that are tried.
    probed = ["probe --run run --tag initial --model model --prompts 8 --lora-rank 2"] if "probe" in VERBS else []
    for line in ["analyze run --offline", *probed]:
        assert [code for code, _ in together([line])] == [0]
    Path("said-0").unlink()
    assert cli.main(["judge", "run", "--tag", "final", "--csv-out", "sheet.csv"]) == 0
    with open("sheet.csv", newline="", encoding="utf-8") as lines:
        rated = [{**row, "score": "3"} for row in csv.DictReader(lines)]
    with open("sheet.csv", "w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rated[0])
        writer.writeheader()
        writer.writerows(rated)
    gc.collect()  # Python drops a Ctrl-C that comes in a callback of what is collected; what is forked has none to do
    gc.freeze()


def together(words: list[str]) -> list[tuple[int, str]]:
    """(exit code, stderr) of each command line, all let go at one moment."""
    ready, go = os.pipe()
    children = []
    for number, line in enumerate(words):
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(ready, 1)  # until it is closed
            out = os.open(f"said-{number}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            code = cli.main(shlex.split(line))
            sys.stderr.flush()
            os._exit(code)
        children.append(pid)
    os.close(ready)
    os.close(go)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    return [(code, Path(f"said-{number}").read_text(encoding="utf-8")) for number, code in enumerate(codes)]


def faults(names: list[str], ended: list[tuple[int, str]]) -> list[str]:
    """What is wrong in the current folder after these commands."""
    wrong = []
    for name, (code, said) in zip(names, ended, strict=True):
        if "Traceback" in said or "unexpected" in said:
            wrong.append(f"{name}: trace: {said[-600:]}")
        elif code and not any(word in said for word in REFUSED):
            wrong.append(f"{name}: exit {code}: {said[-600:]}")
    done = {name for name, (code, _) in zip(names, ended, strict=True) if not code}
    tables = {ONE_TABLE.get(name, name) for name in names}
    told = {name for name, (_, said) in zip(names, ended, strict=True) if AFTER_IMPORT in said}
    if idle := tables - {ONE_TABLE.get(name, name) for name in done | told}:
        wrong.append(f"refused, though none of its kind was done: {idle}: {ended}")
    for run in (RunDir("run"), RunDir("new"), RunDir("regraded")):
        if run.path.exists():
            wrong += _faults_of(run)
    summary = read_json(RunDir("run").summary)
    wrong += [f"{name} is lost from summary.json" for name in done if SUMMARY.get(name, "classify") not in summary]
    wanted = {f"human:{n}" for n, v in (("ada", "judge"), ("bob", "judge as another")) if v in done}
    if wanted:
        found = set(read_table(RunDir("run").judgements("final")).column("rater").to_pylist())
        wrong += [f"raters {found}, not {wanted}"] if found != wanted else []
    return wrong


def _faults_of(run: RunDir) -> list[str]:
    wrong = [f"left: {path}" for path in run.path.rglob(".*")] + [f"left: {path}" for path in run.path.rglob("*.parts")]
    for tag in run.evaluation_tags():
        table = read_table(run.evaluation(tag), ["prompt_id", "sample"])
        distinct = table.group_by(["prompt_id", "sample"]).aggregate([]).num_rows
        if not len(table) == distinct == EVALUATIONS[tag]:
            wrong.append(f"{tag}: {len(table)} rows, {distinct} distinct, not {EVALUATIONS[tag]}")
    prompts = read_table(run.prompts).column("prompt_id").to_pylist()
    wanted = set() if run.path.name == "new" else set(ids(SIZE))
    if len(set(prompts)) != len(prompts) or not wanted <= set(prompts):
        wrong.append(f"{run.prompts}: prompts lost or doubled")
    imported = {"extra", "v1.5"} & set(run.evaluation_tags()) or run.path.name == "new"
    if len(prompts) != len(wanted) + (5 if imported else 0) and run.path.name != "regraded":
        wrong.append(f"{run.prompts}: {len(prompts)} prompts")
    for path in run.path.rglob("*.json"):
        read_json(path)
    for path in run.path.rglob("*.parquet"):
        read_table(path)
    return wrong


def main(folder: Path, kind: str, times: int = 1, part: str = "1/1") -> None:
    which, parts = map(int, part.split("/"))
    folder.mkdir(exist_ok=True)
    prepare()
    make(folder)
    pairs = list(itertools.combinations_with_replacement(VERBS, 2))[which - 1 :: parts]
    for names in pairs if kind == "pairs" else [[*VERBS, *VERBS]]:
        wrong = []
        for number in range(times):
            place = folder / "at-once" / str(number)
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("at-once"))
            os.chdir(place)
            wrong += faults(list(names), together([VERBS[name] for name in names]))
            os.chdir(folder)
            shutil.rmtree(place)
        print(json.dumps({"at once": names, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2], *map(int, sys.argv[3:4]), *sys.argv[4:])
