"""Two commands on one run, started at the same moment, as processes of their own.

    python -m tests.pairs FOLDER TIMES [K/N]    prints one JSON line a pair of VERBS: what went wrong, [] if nothing

K/N: only the K-th of N parts of all pairs.

The processes are forked from this one, which has imported what they need, so that they do start together.
"""

import csv
import importlib
import itertools
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from tests.labels.runs import ids, make_run

SIZE = 44
VERBS = {
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
}
SUMMARY = {"classify": "classify", "analyze": "report", "forecast": "forecast"}
MODULES = (
    "datasets matplotlib.pyplot sklearn.linear_model sklearn.impute sklearn.preprocessing sklearn.model_selection "
    "openrlhf_unlearn.labels.classify openrlhf_unlearn.report.build openrlhf_unlearn.report.page "
    "openrlhf_unlearn.evaluation.prompts openrlhf_unlearn.interventions.judged openrlhf_unlearn.report.figures"
)


def make(folder: Path) -> None:
    """The run that every pair gets a copy of, with the files that the verbs read."""
    first = [16] * 14 + [1, 2] * 15
    last = [30] * 14 + [0, 20] * 15
    make_run(folder / "run", first, last, [4] * SIZE)
    rows = [{"prompt": f"new {i % 5}", "response": "x", "reward": i % 2, "step": i % 3} for i in range(300)]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.chdir(folder)
    assert cli.main(["classify", "run"]) == 0
    assert cli.main(["judge", "run", "--tag", "final", "--csv-out", "sheet.csv"]) == 0
    with open("sheet.csv", newline="", encoding="utf-8") as lines:
        rated = [{**row, "score": "3"} for row in csv.DictReader(lines)]
    with open("sheet.csv", "w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rated[0])
        writer.writeheader()
        writer.writerows(rated)


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


def faults(names: tuple[str, str], ended: list[tuple[int, str]]) -> list[str]:
    """What is wrong in the current folder after the two commands."""
    wrong = []
    for name, (code, said) in zip(names, ended, strict=True):
        if "Traceback" in said or "unexpected" in said:
            wrong.append(f"{name}: trace: {said[-600:]}")
        elif code and not any(word in said for word in ("is in use by", "is there already", "already holds")):
            wrong.append(f"{name}: exit {code}: {said[-600:]}")
    if all(code for code, _ in ended) or (names[0] != names[1] and SUMMARY.get(names[0]) and ended[0][0]):
        wrong.append(f"none was done, or one that the other does not touch was refused: {ended}")
    for run in (RunDir("run"), RunDir("new")):
        if run.path.exists():
            wrong += _faults_of(run)
    if RunDir("run").summary.exists():
        summary = read_json(RunDir("run").summary)
        for name, (code, _) in zip(names, ended, strict=True):
            if not code and name in SUMMARY and SUMMARY[name] not in summary:
                wrong.append(f"{name} is lost from summary.json")
    raters = {f"human:{n}" for n, v in (("ada", "judge"), ("bob", "judge as another")) if v in names}
    if raters and not any(code for code, _ in ended):
        found = set(read_table(RunDir("run").judgements("final")).column("rater").to_pylist())
        wrong += [f"raters {found}, not {raters}"] if found != raters else []
    return wrong


def _faults_of(run: RunDir) -> list[str]:
    wrong = [f"left: {path}" for path in run.path.rglob(".*")]
    samples = {"initial": SIZE * 32, "final": SIZE * 32, "extra": 300, "v1.5": 300}
    for tag in run.evaluation_tags():
        table = read_table(run.evaluation(tag), ["prompt_id", "sample"])
        distinct = table.group_by(["prompt_id", "sample"]).aggregate([]).num_rows
        if not len(table) == distinct == samples[tag]:
            wrong.append(f"{tag}: {len(table)} rows, {distinct} distinct, not {samples[tag]}")
    prompts = read_table(run.prompts).column("prompt_id").to_pylist()
    wanted = set(ids(SIZE)) if run.path.name == "run" else set()
    if len(set(prompts)) != len(prompts) or not wanted <= set(prompts):
        wrong.append(f"{run.prompts}: prompts lost or doubled")
    imported = {"extra", "v1.5"} & set(run.evaluation_tags()) or run.path.name == "new"
    if len(prompts) != len(wanted) + (5 if imported else 0):
        wrong.append(f"{run.prompts}: {len(prompts)} prompts")
    for path in run.path.rglob("*.json"):
        read_json(path)
    for path in run.path.rglob("*.parquet"):
        read_table(path)
    return wrong


def main(folder: Path, times: int, part: str = "1/1") -> None:
    which, parts = map(int, part.split("/"))
    folder.mkdir(exist_ok=True)
    for module in (*MODULES.split(), *(module for module, _ in cli.VERBS.values())):
        importlib.import_module(module)
    make(folder)
    for names in list(itertools.combinations_with_replacement(VERBS, 2))[which - 1 :: parts]:
        wrong = []
        for number in range(times):
            place = folder / "at-once" / str(number)
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("at-once"))
            os.chdir(place)
            wrong += faults(names, together([VERBS[name] for name in names]))
            os.chdir(folder)
            shutil.rmtree(place)
        print(json.dumps({"pair": names, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]), *sys.argv[3:])
