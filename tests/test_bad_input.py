"""Every bad input and bad moment that we know of: one line on stderr, exit code 1 or 2, and every file as it was."""

import gzip
import importlib.util
import json
import math
import os
import random
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import read_json, write_json
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer
from tests.interventions.runs import make_run
from tests.store.test_locks import holding


class Place:
    """A folder with a classified run, its data, a model's folder and room for what a case makes."""

    def __init__(self, folder: Path):
        self.tmp, self.run = folder, make_run(folder / "given", 12)
        self.data, self.model = folder / "given" / "data.jsonl", folder / "model"
        if importlib.util.find_spec("transformers"):
            build_tokenizer().save_pretrained(self.model)
        self.model.mkdir(exist_ok=True)
        (self.model / "config.json").write_text('{"model_type": "qwen2"}')
        self.processes: list[subprocess.Popen] = []

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def config(self, **changes) -> None:
        write_json(self.run.run_json, {**read_json(self.run.run_json), **changes})

    def args(self, **sections) -> None:
        self.config(args={**self.run.config().values["args"], **sections})

    def content(self) -> dict[str, bytes | None]:
        paths = (path for path in self.tmp.rglob("*") if "small" not in path.parts)
        return {str(p.relative_to(self.tmp)): p.read_bytes() if p.is_file() else None for p in paths}


@dataclass
class Case:
    """`words`: the command line, with {run}, {new}, {tmp}, {data}, {model}; `says`: what the line must name."""

    words: str
    code: int
    says: str
    before: Callable[[Place], object] | None = None

    def __str__(self) -> str:
        return f"{self.words} | {self.says}"


def cut(name: str) -> Callable[[Place], object]:
    """The run's file, cut in half as a copy that was stopped leaves it."""

    def before(place: Place) -> None:
        path = place.run.path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return before


def text(name: str, content: str | bytes) -> Callable[[Place], object]:
    return lambda place: place.write(name, content)


def gone(name: str) -> Callable[[Place], object]:
    return lambda place: (place.run.path / name).unlink()


def held(name: str) -> Callable[[Place], object]:
    return lambda place: place.processes.append(holding(place.tmp / name))


def rows(name: str, *rows: dict) -> Callable[[Place], object]:
    return text(name, "".join(json.dumps(row) + "\n" for row in rows))


def no_groups(place: Place) -> None:
    pq.write_table(pa.table({"prompt_id": ["a"]}), place.run.learnability)


def column(name: str, column: str, value=None) -> Callable[[Place], object]:
    """The run's table with `value` in every row of a column, or without the column."""

    def before(place: Place) -> None:
        table = pq.read_table(place.run.path / name)
        values = [] if value is None else [(column, pa.array([value] * len(table)))]
        kept = [(other, table.column(other)) for other in table.column_names if other != column]
        pq.write_table(pa.table(dict(kept + values)), place.run.path / name)

    return before


def folder(name: str) -> Callable[[Place], object]:
    """A folder where a file should be."""

    def before(place: Place) -> None:
        (place.tmp / name).unlink(missing_ok=True)
        (place.tmp / name).mkdir(parents=True)

    return before


def loop(name: str) -> Callable[[Place], object]:
    """A link to itself."""

    def before(place: Place) -> None:
        (place.tmp / name).unlink(missing_ok=True)
        (place.tmp / name).symlink_to(Path(name).name)

    return before


def link(name: str, content: str = "precious") -> Callable[[Place], object]:
    """A link to a file of the user's, as a received run may hold one."""

    def before(place: Place) -> None:
        (place.tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (place.tmp / name).symlink_to(place.write("mine", content))

    return before


def led(name: str) -> Callable[[Place], object]:
    """A link to a folder of the user's, whose files are called as ours are."""

    def before(place: Place) -> None:
        names = ("wrong_label.json", "drop.json", "augmentation.svg", "report.html", "x.json", "lists/drop.json")
        mine = [place.write(f"folder/{name}", "{}") for name in names]
        (place.tmp / name).parent.mkdir(exist_ok=True)
        (place.tmp / name).symlink_to(mine[0].parent)

    return before


def step(table: str, **columns: list) -> Callable[[Place], object]:
    """One step of a table, with no column but these."""

    def before(place: Place) -> None:
        place.run.step_file(table, 1).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), place.run.step_file(table, 1))

    return before


def full_with_rollouts(place: Place) -> None:
    place.write("full/notes.txt", "mine")
    rows("r.jsonl", ROLLOUT)(place)


def maybe(place: Place) -> None:
    place.write("r.csv", "prompt_id,decision,new_label\n0123456789abcdef,maybe,7\n")


def other_format(place: Place) -> None:
    place.args(unlearn={"answer_format": "/x/evil.py:Mine"})


def bomb(place: Place) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 500_000, pa.int32()), pa.array(["x" * 10**6]))
    table = pa.table({"prompt": column, "response": column, "reward": [1.0] * 500_000})
    pq.write_table(table, place.tmp / "bomb.parquet", compression="zstd", store_schema=False)
    assert (place.tmp / "bomb.parquet").stat().st_size < 100_000


def received_reward(place: Place) -> None:
    place.args(reward={"remote_url": str(place.write("evil.py", "open('executed', 'w')"))})


def received_script(place: Place) -> None:
    place.write("evil/evil.py", "open('executed', 'w')")
    data = {**place.run.config().values["args"]["data"], "prompt_dataset": f"{place.data},{place.tmp}/evil@x"}
    place.args(data=data)


def other_settings(place: Place) -> None:
    about = {"settings": {"model": str(place.model), "temperature": 0.5}}
    write_json(place.run.evaluation_json("initial"), about)


def started_otherwise(place: Place) -> None:
    write_json(place.run.evaluation_parts("new") / "settings.json", {"seed": 1})


def other_run(place: Place) -> None:
    make_run(place.tmp / "other", 5)


UNLABELLED = {"prompt": "a", "label": ""}
ROLLOUT = {"prompt": "1+1", "response": "2", "reward": 1, "step": 1}
FINISHED = "evaluate --run {run} --tag initial --model {model}"
STEPLESS = {**ROLLOUT, "step": None}
EVALUATE = "evaluate --run {run} --tag new --model {model}"
IMPORT = "import jsonl {tmp}/r.jsonl --run {new} --tag initial"
AUGMENT = "augment similar --run {run} --output {tmp}/out"
ENDPOINT = "--model w --base-url http://127.0.0.1:9/v1 --tries 1"
ASKED = f"{AUGMENT} {ENDPOINT} --check-model c"
HINTS = "hints {run} --output {tmp}/out"
SHEET = "judge {run} --csv-in {tmp}/s.csv --rater ada"
SCORES = "item,problem,solution,score,remark\n"
REVIEW = "prompt_id,p_wrong_label,cause,prompt,label,proposed,evidence,decision,new_label\n"
FILLED = "holds what a person may have written"
IN_USE = "is in use by probe (process"
NAMES = "letters, digits, '.', '-' and '_' only"

IMPORT_STEPS = "import jsonl {tmp}/r.jsonl --run {new}"
OFFLINE = "analyze {run} --offline"
FINAL = "evaluations/final.parquet"
GRADIENTS = "given/run/probes/x/gradients.safetensors"
CHECKED = "given/run/transfer/x.json"
ANSWER = {"response": "1", "label": "1"}

CASES = [
    # the command line
    Case("", 2, "the following arguments are required: VERB"),
    Case("evalute --run x", 2, "invalid choice: 'evalute'"),
    Case("classify", 2, "the following arguments are required: RUN"),
    Case("classify {run} --tua 0.1", 2, "unrecognized arguments: --tua"),
    Case("classify {run} --tau many", 2, "--tau: invalid float value"),
    # a run that is none
    Case("classify {new}", 1, "is not a folder"),
    Case("diagnose", 2, "give a RUN, or for a label audit --data D --label-key KEY --model M"),
    Case("diagnose {new}", 1, "is not a folder"),
    Case("diagnose --model {model}", 2, "a label audit needs --data D and --label-key KEY"),
    Case("diagnose {run} --decisions {tmp}/none.csv --output {tmp}/m.jsonl", 1, "none.csv: no such file"),
    Case("diagnose {run} --decisions {data}", 2, "needs one RUN (or audit folder) and --output"),
    Case("diagnose {run} --decisions {tmp}/r.csv --output {tmp}/m.jsonl", 1, "line 2: decision 'maybe'", maybe),
    Case("analyze {new}", 1, "is not a folder"),
    Case("classify {data}", 1, "is not a folder"),
    Case("classify {tmp}", 1, "it has no run.json"),
    Case("classify {run}", 1, "run.json is not valid JSON", cut("run.json")),
    Case("classify {run}", 1, "holds no JSON object but list", text("given/run/run.json", "[]")),
    Case("analyze {run}", 1, "has no schema_version", text("given/run/run.json", "{}")),
    Case("classify {run}", 1, "newer openrlhf-unlearn, this one reads 1: pip i", lambda p: p.config(schema_version=99)),
    Case("classify {run}", 1, "is no whole number but [1]; write 1", lambda p: p.config(schema_version=[1])),
    Case("diagnose {run}", 1, "its models is no list of texts but 5", text("given/run/summary.json", '{"models": 5}')),
    Case("forecast {run}", 1, "written by a newer", text("given/run/summary.json", '{"schema_version": 99}')),
    Case("classify {run}", 1, "its positive is no JSON object", lambda p: p.config(positive=0.5)),
    Case("evaluate --run {run} --tag t --model m", 1, "its args is no JSON object", lambda p: p.config(args=["x"])),
    Case("classify {run}", 1, "is not valid JSON", text("given/run/run.json", "[" * 100_000)),
    Case("classify {run}", 1, "run.json is not valid JSON", text("given/run/run.json", b"\xff\xfe\x00")),
    # evaluate
    Case("evaluate --run {new} --tag initial --model {model}", 1, "--data is missing"),
    Case("evaluate --run {new} --tag initial --model {model} --data {data}", 1, "--label-key is missing"),
    Case("evaluate --run {run} --tag ../../x --model {model}", 2, NAMES),
    Case("evaluate --run {run} --tag {tmp}/x --model {model}", 2, NAMES),
    Case("evaluate --run {run} --tag a/b --model {model}", 2, NAMES),
    Case("evaluate --run {run} --tag .hidden --model {model}", 2, NAMES),
    Case("evaluate --run {run} --tag x.parts --model {model}", 2, NAMES),
    Case("evaluate --run {run} --tag '' --model {model}", 2, "an empty argument after --tag"),
    Case(f"{EVALUATE} -n 0", 2, "-n 0: must be at least 1"),
    Case("evaluate --run {run} --tag new --model {tmp}/none", 1, "no such folder"),
    Case("evaluate --run {run} --tag new --model {tmp}/given", 1, "is no Hugging Face folder"),
    Case(f"{EVALUATE} --data {{tmp}}/none.jsonl", 1, "none.jsonl: no such file"),
    Case(f"{EVALUATE} --data {{tmp}}/d.jsonl", 1, "line 1 is not JSON", text("d.jsonl", "{'prompt': 1}\n")),
    Case(f"{EVALUATE} --data {{tmp}}/d.jsonl", 1, "has no rows", text("d.jsonl", "")),
    Case(f"{EVALUATE} --data {{tmp}}/d.jsonl", 1, "has an empty 'label'", rows("d.jsonl", UNLABELLED)),
    Case(f"{EVALUATE} --input-key question_", 1, "has no key 'question_'"),
    Case(f"{EVALUATE} --reward {{tmp}}/none.py", 1, "no such file here"),
    Case(f"{EVALUATE} --reward http://host/score", 1, "only Python files can grade here"),
    Case(EVALUATE, 1, "names code", received_reward),
    Case(EVALUATE, 1, "names code: /x/evil.py:Mine", other_format),
    Case(EVALUATE, 1, "evil@x; read that, then give --data FILE or --trust-run", received_script),
    Case("export {run} --output {tmp}/o --id-column label", 1, "evil@x; read that", received_script),
    Case("evaluate --run {tmp}/full --tag t --model {model} --data {data} --input-key prompt --label-key label", 1,
         "is not empty and no run directory", full_with_rollouts),
    Case(FINISHED, 1, "was made with --temperature 0.5", other_settings),
    Case(FINISHED, 1, "initial.json is not valid", cut("evaluations/initial.json")),
    Case(EVALUATE, 1, "was made with --seed 1, not 0", started_otherwise),
    Case(EVALUATE, 1, IN_USE, held("given/run/evaluations/new.parquet")),
    # classify
    Case("classify {run} --tau 0", 2, "a pass rate above 0 and at most 1"),
    Case("classify {run} --easy 1.5", 2, "a pass rate above 0 and at most 1"),
    Case("classify {run}", 1, "final", gone("evaluations/final.parquet")),
    Case("classify {run}", 1, "prompts.parquet does not exist", gone("prompts.parquet")),
    Case("classify {run}", 1, "prompts.parquet cannot be read", cut("prompts.parquet")),
    Case("classify {run}", 1, "final.parquet cannot be read", text("given/run/evaluations/final.parquet", "no")),
    Case("classify {run}", 1, "summary.json holds no JSON object", text("given/run/summary.json", "[1]")),
    Case("classify {run} --initial ../../evaluations/initial", 1, "it is a path"),
    Case("classify {run} {tmp}/other/run", 1, "prompts", other_run),
    Case("classify {run}", 1, IN_USE, held("given/run/learnability.parquet")),
    # export
    Case("export {run} --output {tmp}/o.json", 1, "learnability.parquet is missing", gone("learnability.parquet")),
    Case("export {run} --output {tmp}/o.json", 1, "has no column 'group'", no_groups),
    Case("export {run} --output {tmp}/o --format verl-csv --prefix ../x", 2, NAMES),
    Case("export {run} --output {tmp}/o.json --format skip --groups hard", 2, "'hard' is no group"),
    Case("export {run} --output {tmp}/given --format dataset", 1, "is there already"),
    Case("export {run} --output {data}/o.json", 1, "cannot write"),
    Case("export {run} --output {data}/o --format dataset", 1, "cannot write"),
    Case("export {run} --output {tmp}/o.json --id-column uid", 1, "has no column 'uid'"),
    Case("export {run} --output {tmp}/o --id-column label", 1, "does not say how its", lambda p: p.config(args={})),
    # import
    Case("import jsonl {tmp}/r.jsonl --run {new} --tag ../../x", 2, NAMES, rows("r.jsonl", ROLLOUT)),
    Case("import jsonl {tmp}/r.jsonl --run {new} --tag /x", 2, NAMES, rows("r.jsonl", ROLLOUT)),
    Case(IMPORT, 1, "no file *.jsonl there"),
    Case(IMPORT, 1, "has no column 'reward'", rows("r.jsonl", {"prompt": "a", "response": "b"})),
    Case(IMPORT, 1, "rewards must be finite", rows("r.jsonl", {**ROLLOUT, "reward": math.nan})),
    Case(IMPORT, 1, "which is no number", rows("r.jsonl", {**ROLLOUT, "reward": "good"})),
    Case(IMPORT, 1, "rewards other than 0 and 1", rows("r.jsonl", {**ROLLOUT, "reward": 0.3})),
    Case(IMPORT, 1, "is no UTF-8 text", text("r.jsonl", b'{"prompt": "\xff"}')),
    Case(IMPORT, 1, "line 2 is not JSON", lambda p: p.write("r.jsonl", json.dumps(ROLLOUT) + '\n{"prompt": ')),
    Case(IMPORT, 1, "has no rollouts", text("r.jsonl", "\n")),
    Case(IMPORT, 1, "row 1 is no object with keys but int", text("r.jsonl", "[1, 2]")),
    Case(f"{IMPORT} --columns prompt", 2, "write NAME=COLUMN", rows("r.jsonl", ROLLOUT)),
    Case(IMPORT_STEPS, 1, "does not say its step", rows("r.jsonl", STEPLESS)),
    Case("import jsonl {tmp}/r.jsonl --run {run} --tag final", 1, "is there already", rows("r.jsonl", ROLLOUT)),
    Case("import jsonl {tmp}/r.jsonl --run {tmp}/full --tag t", 1, "is not empty", full_with_rollouts),
    Case("import jsonl {tmp}/bomb.parquet --run {new} --tag initial", 1, "GB or more, too much for", bomb),
    Case("import verl {tmp} --run {run} --follow", 1, IN_USE, held("given/run")),
    Case("import paper {tmp}/p.csv --run {new}", 1, "has no column 'step'", text("p.csv", "a,b\n1,2\n")),
    Case("import paper {tmp}/p.csv --run {new}", 1, "line 2 cannot be read",
         text("p.csv", "step,prompt_id,mean_reward,std_reward,n,processed\n1,7,0.5\n")),
    # probe and forecast
    Case("probe --run {run} --model {model} --tag initial --name ../x", 2, NAMES),
    Case("probe --run {run} --model {model} --tag none", 1, "has no such evaluation"),
    Case("probe --run {run} --model {model} --tag initial --temperature 0", 2, "--temperature must be above 0"),
    Case("probe --run {run} --model {model} --tag initial", 1, IN_USE, held("given/run/probes/initial")),
    # transfer and tasks
    Case("transfer {run}", 1, "make one: openrlhf-unlearn probe --model MODEL --run"),
    Case("transfer {run} --probe none", 1, "make it with openrlhf-unlearn probe"),
    Case("transfer {run} --probe x", 1, "gradients.safetensors cannot be read", text(GRADIENTS, b"\xff" * 16)),
    Case("transfer {run} --probe x", 1, "safetensors cannot be read", text(GRADIENTS, b"\2\0\0\0\0\0\0\0{}")),
    Case("transfer {run} --probe x", 1, "check by trainings on 2 clusters", text(CHECKED, '{"trained": ["a", "b"]}')),
    Case("transfer {run} --probe x --verify 1", 1, "--verify 2", text(CHECKED, '{"trained": ["a", "b"]}')),
    Case("transfer {run} --probe x --objective grpo", 1, "lost; move that file", text(CHECKED, '{"trained": ["a"]}')),
    Case("transfer {run} --steps 0", 2, "--steps must be at least 1"),
    Case("transfer {run} --verify 3 --objective grpo", 2, "goes with --objective likelihood"),
    Case("transfer {run} --from {tmp}/p.jsonl", 2, "name with --for whom"),
    Case("transfer {run} --for {tmp}/i.json", 2, "--for needs --output"),
    Case("transfer {run} --for {tmp}/i.json --output {tmp}/o --verify 0", 2, "give one after the other"),
    Case("tasks gcd", 2, "name at least one task, and --output"),
    Case("tasks chain_sums --output {tmp}/o.jsonl", 2, "has no task 'chain_sums'; 'chain_sum'?"),
    Case("tasks gcd:max_value --output {tmp}/o.jsonl", 2, "'max_value' is no OPTION=VALUE"),
    Case("tasks gcd:speed=3 --output {tmp}/o.jsonl", 2, "gcd has no option 'speed'; it has min_numbers"),
    Case("tasks gcd:max_value=-1 --output {tmp}/o.jsonl", 1, "gcd does not take these options"),
    Case("tasks gcd gcd --output {tmp}/o.jsonl", 2, "two tasks are called 'gcd'"),
    Case("forecast {run}", 1, "learnability.parquet is missing", gone("learnability.parquet")),
    Case("forecast {run}", 1, "a forecast needs at least 10 of each"),
    # endpoints
    Case(f"{AUGMENT} --check-model c", 2, "give --model"),
    Case(f"{AUGMENT} --model w --check-model c", 1, "no endpoint: give --base-url, or OPENAI_API_KEY"),
    Case(f"{ASKED} -n 0", 2, "-n must be at least 1"),
    Case(f"{ASKED} --extra-body x", 2, "--extra-body: invalid loads value"),
    Case(f"{ASKED} --prompts {{tmp}}/p.json", 1, "must be a JSON list", text("p.json", "{}")),
    Case(f"{ASKED} --prompts {{tmp}}/p.json", 1, "names no prompt", text("p.json", '["a"]')),
    Case(ASKED, 1, "line 1 is not JSON", text("out/answers.jsonl", "no\n{}\n")),
    Case(ASKED, 1, "line 1 is no entry of a journal", text("out/answers.jsonl", "{}\n")),
    Case(ASKED, 1, IN_USE, held("out")),
    Case(ASKED, 1, "names code", other_format),
    Case("judge {run} --tag initial --model w", 1, "no endpoint"),
    Case("judge {run} --csv-in {tmp}/none.csv --rater ada", 1, "no such file"),
    Case("judge {run} --csv-in {tmp}/s.csv", 2, "--csv-in needs --rater"),
    Case(SHEET, 1, "holds no score", text("s.csv", "item,score\n")),
    Case(SHEET, 1, "is no correct rollout", text("s.csv", "item,score\nx,3\n")),
    Case("judge {run} --tag initial --per-group 0 --model w", 2, "must be at least 1"),
    Case(HINTS, 2, "a prefix needs solutions"),
    Case(f"{HINTS} --kind abstract", 2, "asks an endpoint for the idea"),
    Case(f"{HINTS} --kind abstract --model x --solutions s", 2, "leave --solutions out"),
    Case("hints {run} --output {data} --solutions s", 1, "data.jsonl is a file; name a folder"),
    Case(f"{HINTS} --question-key no --solutions s", 1, "has no text 'no'; give another --question-key"),
    Case(f"{HINTS} --solutions {{tmp}}/none.jsonl", 1, "none.jsonl cannot be read"),
    Case(f"{HINTS} --solutions s --shares 0", 2, "above 0 and at most 100"),
    Case(f"{HINTS} --solutions s --frame '{{{{hint}}}}'", 2, "must hold {question} and {hint}"),
    Case(f"{HINTS} --solutions {{tmp}}/s.jsonl", 1, "each row needs a text 'solution'", text("s.jsonl", "")),
    Case(f"{HINTS} --solutions {{tmp}}/s.jsonl", 1, "s.jsonl: line 1 is not JSON", text("s.jsonl", "{")),
    Case("compare {run} {run}", 1, "the same run is given twice"),
    Case("compare {run} {new}", 1, "is not a folder"),
    Case("sft-set --run {run} --output {tmp}/s.jsonl --model w --attempts 0", 2, "give --attempts of at least 1"),
    Case("sft-set --run {run} --output {tmp}/s --from-run {run} --from-tag none", 1, "none.parquet does not exist"),
    # launches
    Case("curriculum {run} --output {tmp}/c", 1, "holds no launch"),
    Case("models {run} a={model}", 2, "give at least two models"),
    Case("models {run} a/b={model} c={model}", 2, NAMES),
    Case("train --plugin nope", 2, "no such plugin"),
    # what a person has filled in
    Case("judge {run} --csv-out {tmp}/s.csv", 1, FILLED, text("s.csv", f"{SCORES}x,p,s,,\ny,p,s,3,\n")),
    Case("judge {run} --csv-out {tmp}/s.csv", 1, FILLED, text("s.csv", f"{SCORES}x,p,s,,a guess\n")),
    Case("judge {run} --csv-out {tmp}/s.csv", 1, FILLED, text("s.csv", SCORES.replace(",", ";") + "x;p;s;3;\n")),
    Case("judge {run} --csv-out {tmp}/s.csv", 1, FILLED, text("s.csv", SCORES.encode("utf-16"))),
    Case("diagnose {run} --export {tmp}/s.csv", 1, FILLED, text("s.csv", f"{REVIEW}x,0.9,c,p,1,2,e,drop,2\n")),
    Case("diagnose {run} --export {tmp}/s.csv", 1, FILLED, text("s.csv", f"{REVIEW}x,0.9,c,p,1,2,e,,3\n")),
    Case("diagnose --data {data} --label-key label --model {model} --output {tmp}/a", 1, FILLED,
         text("a/review.csv", f"{REVIEW}x,0.9,c,p,1,2,e,keep,2\n")),
    Case("diagnose {run} --decisions {tmp}/r.csv --output {tmp}/r.csv", 2, "would replace the decisions", maybe),
    Case("diagnose {run} --decisions {tmp}/r.csv --output {tmp}/m.jsonl --export {tmp}/e.csv", 2,
         "call them one after the other", maybe),
    Case("diagnose {run} --decisions {tmp}/r.csv --output {tmp}/m.jsonl", 1, "no prompt of it is in the data set",
         text("r.csv", "prompt_id,decision\n0123456789abcdef,drop\n")),
    # reports and the rest
    Case("analyze {run} --tau 2 --offline", 2, "a pass rate above 0 and at most 1"),
    Case("analyze {run} --compare --offline", 2, "--compare needs at least two runs"),
    Case("analyze {run} {tmp}/other/run --offline", 1, "are runs of different data", other_run),
    Case("publish {run}", 2, "needs --to FOLDER"),
    Case("publish {run} --to hf:name", 2, "write hf:ORG/SPACE"),
    Case("publish {run} {run} --to {tmp}/site", 2, "several runs are for --anonymise"),
    Case("publish {run} --to {tmp}/site", 1, "has no report; make it: openrlhf-unlearn analyze"),
    Case("import verl {tmp} --run {new} --follow 0", 2, "every so many seconds above 0"),
    Case("analyze {run} --offline", 1, "--output DIR puts the report there", text("given/run/report", "a file")),
    Case("analyze {run} --offline", 1, IN_USE, held("given/run/report")),
    Case(f"{OFFLINE} --output {{tmp}}/other/run", 1, "other/run is a run, whose own report", other_run),
    Case(f"{OFFLINE} --output {{run}}", 1, "is a run, whose own report"),
    Case(f"{OFFLINE} --output {{tmp}}/full", 1, "holds files that are no report's", text("full/reasoning.png", "mine")),
    Case(f"{OFFLINE} --output {{tmp}}/full", 1, "holds files that are no report's",
         text("full/summary.json", '{"report": {}, "classify": {}}')),
    Case("regrade {run} --out {tmp}/given", 1, "exists; choose another folder"),
    Case("regrade {run} --answer-format nope", 1, "nope"),
    Case("diagnose {run}", 1, "does not say what it was made from", text("given/run/causes.json", "{}")),
    Case("publish {run} --to {tmp}/site --anonymise", 1, "does not say what it was made from",
         text("given/run/causes.json", "{}")),
    # links of a received run, through which a file of the user's would be emptied
    Case("classify {run}", 1, ".learnability.parquet.lock is a link", link("given/run/.learnability.parquet.lock")),
    Case(OFFLINE, 1, ".lock is a link", link("given/run/report/.lock")),
    Case(OFFLINE, 1, "run/report is a link", led("given/run/report")),
    Case(OFFLINE, 1, "report/lists is a link", led("given/run/report/lists")),
    Case(OFFLINE, 1, "run/causes is a link", led("given/run/causes")),
    Case("diagnose {run}", 1, "run/causes is a link", led("given/run/causes")),
    Case("transfer {run} --probe x", 1, "run/transfer is a link", led("given/run/transfer")),
    Case(f"judge {{run}} --tag initial {ENDPOINT}", 1, "answers.jsonl is a link",
         link("given/run/judgements/answers.jsonl")),
    # tables of another kind
    Case("classify {run}", 1, "'prompt_id' holds int64, not text", column(FINAL, "prompt_id", 7)),
    Case("classify {run}", 1, "'verdict' holds int64, not text", column(FINAL, "verdict", 7)),
    Case("classify {run}", 1, "'reward' holds string, not numbers", column(FINAL, "reward", "good")),
    Case("classify {run}", 1, "final.parquet", column(FINAL, "reward")),
    Case("classify {run}", 1, "is a directory", folder(f"given/run/{FINAL}")),
    Case("classify {run}", 1, "final.parquet is missing", loop(f"given/run/{FINAL}")),
    Case("classify {run}", 1, "it has no run.json", loop("given/run/run.json")),
    Case("classify {run}", 1, "cannot be read: Is a directory", folder("given/run/run.json")),
    Case("classify {run} {run}", 1, "are the same run"),
    Case("regrade {run}", 1, "has no column 'response'", column(FINAL, "response")),
    Case("regrade {run}", 1, "has no column 'verdict'", column(FINAL, "verdict")),
    Case("regrade {run}", 1, "has no column 'step'", step("rollouts", a=[1])),
    Case("regrade {run}", 1, "'label' holds int64, not text", column("prompts.parquet", "label", 3)),
    Case(OFFLINE, 1, "final.json holds no JSON object", text("given/run/evaluations/final.json", "[1]")),
    Case(OFFLINE, 1, "its model is no text", lambda p: p.config(model={"a": 1})),
    Case("export {run} --output {tmp}/o --format dataset", 1, "'prompt_id' holds int64",
         column("learnability.parquet", "prompt_id", 3)),
    # numbers, words and places that are none
    Case("classify {run} --threshold nan", 2, "--threshold nan: give a finite number"),
    Case("regrade {run} --tau inf", 2, "--tau inf: give a finite number"),
    Case(f"{IMPORT} --save-rollouts -1", 2, "--save-rollouts -1: must not be negative"),
    Case("curriculum {run} --output {tmp}/c --others -1", 2, "--others -1: must not be negative"),
    Case("classify ''", 2, "an empty argument after classify"),
    Case("export {run} --output ''", 2, "an empty argument after --output"),
    Case(f"{EVALUATE} --top-p 2", 2, "--top-p 2.0: must be above 0 and at most 1"),
    Case(f"{EVALUATE} --temperature -1", 2, "--temperature -1.0: must not be negative"),
    Case(f"{EVALUATE} --max-len 0", 2, "--max-len 0: must be at least 1"),
    Case(f"{EVALUATE} --engines 0", 2, "--engines 0: must be at least 1"),
    Case(f"{EVALUATE} --dtype int3", 2, "invalid choice: 'int3'"),
    Case(f"{EVALUATE} --data {{tmp}}/d.csv", 1, "has no rows", text("d.csv", "")),
    Case(f"{EVALUATE} --data {{tmp}}/d.jsonl", 1, "cannot be read ('utf-8' codec", text("d.jsonl", b"\xff")),
    Case("export {run} --output /dev/null", 1, "/dev/null: it is no file"),
    Case("judge {run} --csv-out /dev/stdout", 1, "/dev/stdout: it is no file"),
    Case("export {run} --output {tmp}/o --id-column label --data {tmp}/none", 1, "none cannot be loaded"),
    Case("analyze {run} {run} --offline", 2, "a run is given twice"),
    Case(IMPORT_STEPS, 1, ", which is no whole number from 0", rows("r.jsonl", {**ROLLOUT, "step": 2**40})),
    Case(IMPORT_STEPS, 1, "-3, which is no whole number from 0", rows("r.jsonl", {**ROLLOUT, "step": -3})),
    Case(IMPORT, 1, "holds a number of thousands of digits", text("r.jsonl", "9" * 10_000)),
    Case(IMPORT, 1, "symbolic links", loop("r.jsonl")),
    Case("import jsonl {tmp}/r.jsonl.gz --run {new} --tag t", 1, "cannot be read", text("r.jsonl.gz", b"\x1f\x8bjunk")),
    Case("import jsonl {tmp}/r.csv --run {new} --tag t", 1, "reward", text("r.csv", "prompt,response,reward\na,b\n")),
    Case("import paper {tmp}/p.csv --run {new}", 1, "steps begin at 0",
         text("p.csv", "step,prompt_id,mean_reward,std_reward,n,processed\n-1,7,0.5,0.1,8,False\n")),
    # a file of answers
    Case("grade {tmp}/none.jsonl", 1, "no such file"),
    Case("grade {tmp}", 1, "no such file"),
    Case("grade {tmp}/g.jsonl", 1, "has no rows", text("g.jsonl", "")),
    Case("grade {tmp}/g.jsonl", 1, "line 1 has no 'response'", rows("g.jsonl", {"label": "1"})),
    Case("grade {tmp}/g.jsonl", 1, "cannot be read ('utf-8' codec", text("g.jsonl", b"\xff")),
    Case("grade {tmp}/g.jsonl", 1, "line 1 is not JSON", text("g.jsonl", "9" * 10_000)),
    Case("grade {tmp}/g.jsonl --answer-format nope", 1, "nope", rows("g.jsonl", ANSWER)),
    Case("grade {tmp}/g.jsonl --output {tmp}/given", 1, "cannot write", rows("g.jsonl", ANSWER)),
    # human labels, endpoints, launches
    Case(SHEET, 1, "cannot be read ('utf-8' codec", text("s.csv", b"\xff\xfe\x00")),
    Case(SHEET, 1, "is no correct rollout", text("s.csv", "item,score\n" + "x" * 200_000 + ",3\n")),
    Case("judge {run} --model w --base-url localhost:8000", 2, "no address such as http://localhost:8000/v1"),
    Case("judge {run} --model w --base-url http://[::1", 2, "no address such as http://localhost:8000/v1"),
    Case("curriculum {run} --output {tmp}/c", 1, "its command cannot be read", lambda p: p.config(command='a "')),
    Case("curriculum {run} --output {tmp}/c", 1, "its command is no text", lambda p: p.config(command=[1])),
    Case("demo {data}", 1, "choose another folder"),
    Case("examples {data}", 1, "data.jsonl"),
    Case("microworld {data}", 1, "is there already and holds no world"),
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    place = Place(tmp_path)
    yield place
    for process in place.processes:
        process.kill()
        process.wait()


def one_line(capsys, words: str, place: Place) -> tuple[int, str]:
    known = {"run": place.run, "new": place.tmp / "new", "tmp": place.tmp, "data": place.data, "model": place.model}
    try:
        code = cli.main(shlex.split(words.format(**known)))
    except SystemExit as error:  # argparse
        code = error.code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    return code, said[0]


def skip_if_missing(said: str) -> None:
    """On a base installation some verbs end on what they lack, before they see what else is wrong."""
    named = re.search(r"this needs (\w+), which is not installed|pip install (\w+)$", said)
    if named and not importlib.util.find_spec(named[1] or named[2]):
        pytest.skip(said)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_is_one_line_and_changes_nothing(case, place, capsys):
    if case.before:
        case.before(place)
    before = place.content()
    code, said = one_line(capsys, case.words, place)
    assert said.startswith("openrlhf-unlearn")
    assert "unexpected" not in said
    assert place.content() == before
    skip_if_missing(said)
    assert case.says in said
    assert code == case.code


def test_there_are_sixty_of_them():
    assert len({str(case) for case in CASES}) >= 60


# Bad moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "package"),
    [
        ("evaluate --run {run} --tag new --model {model}", "openrlhf"),
        ("evaluate --run {run} --tag new --model {model}", "vllm"),
        ("models {run} a={model} b={model}", "openrlhf"),
        ("export {run} --output {tmp}/o.json --id-column label", "openrlhf"),
        ("augment similar --run {run} --output {tmp}/o --model w --check-model c", "openrlhf"),
    ],
)
def test_what_is_not_installed_is_named_with_the_way_to_get_it(words, package, place, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as Python itself marks what cannot be imported
    before = place.content()
    code, said = one_line(capsys, words, place)
    if f"this needs {package}," not in said:
        skip_if_missing(said)
    assert f"this needs {package}, which is not installed; `openrlhf-unlearn doctor` says how" in said
    assert code == 1
    if package != "vllm":  # found out before the run's prompts are settled
        assert place.content() == before


@pytest.fixture
def small_disk(place):
    """A file system of 128 kB; mounting one takes rights that not everybody has."""
    folder = place.tmp / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True)
    if mounted.returncode and os.environ.get("OPENRLHF_UNLEARN_MOUNTS"):
        pytest.fail(f"no full disk is tried: {mounted.stderr.decode()}")
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> set[str]:
    """No byte is left; returns what is there."""
    with pytest.raises(OSError), (folder / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "words",
    [
        "export {run} --output {tmp}/small/o --format dataset",
        "export {run} --output {tmp}/small/o --format verl-csv",
        "export {run} --output {tmp}/small/o.json",
        "judge {run} --tag initial --csv-out {tmp}/small/s.csv",
        "import jsonl {tmp}/r.jsonl --run {tmp}/small/new --tag initial",
        "analyze {run} --output {tmp}/small/report",
        "sft-set --run {run} --from-run {run} --output {tmp}/small/s.jsonl",
        f"augment similar --run {{run}} --output {{tmp}}/small/o {ENDPOINT} --check-model c --check-base-url http://a/v1",
        "regrade {run} --out {tmp}/small/again --workers 1",
        "grade {tmp}/r.jsonl --label-key response --workers 1 --output {tmp}/small/v.jsonl",
        "demo {tmp}/small/demo --no-open",
        "examples {tmp}/small",
        "examples {tmp}/small/new",
        "tasks gcd --size 2 --output {tmp}/small/t.jsonl",
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(words, place, small_disk, capsys):
    rows("r.jsonl", ROLLOUT)(place)
    there = fill(small_disk)
    before = place.content()
    code, said = one_line(capsys, words, place)
    assert {path.name for path in small_disk.iterdir()} == there
    assert place.content() == before
    skip_if_missing(said)
    assert "No space left on device" in said and "unexpected" not in said
    assert code == 1


SOME = "step,prompt_id,mean_reward,std_reward,n,processed\n" + "".join(f"{i},7,0.5,0.1,8,False\n" for i in range(99))


@pytest.mark.parametrize(
    "words",
    [
        "import jsonl {tmp}/r.jsonl --run {tmp}/small/new",
        "import jsonl {tmp}/r.jsonl --run {tmp}/small/new --save-rollouts 1",
        "import jsonl {tmp}/r.jsonl --run {tmp}/small/new --tag initial",
        "import paper {tmp}/p.csv --run {tmp}/small/new",
    ],
)
def test_an_import_larger_than_the_disk_leaves_nothing_and_is_not_refused_later(words, place, small_disk, capsys):
    noise = random.Random(0)
    rows("r.jsonl", *({**ROLLOUT, "response": noise.randbytes(2700).hex(), "step": i} for i in range(99)))(place)
    place.write("p.csv", SOME)
    for _ in range(2):
        code, said = one_line(capsys, words, place)
        assert "No space left on device" in said and code == 1
        assert not list(small_disk.iterdir())
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert cli.main(shlex.split(words.format(tmp=place.tmp))) == 0


def test_a_journal_on_a_full_disk_stops_before_it_pays_and_goes_on_later(place, small_disk, capsys):
    from tests.interventions.server import Reply, Server

    place.run.path.joinpath("judgements").symlink_to(small_disk)
    with Server(lambda request, n: Reply('{"findings": "fine", "score": 4}')) as server:
        words = f"judge {{run}} --tag initial --per-group 1 --base-url {server.url} --model w"
        fill(small_disk)
        code, said = one_line(capsys, words, place)
        assert "answers.jsonl: No space left on device" in said and "the same command goes on" in said
        assert code == 1
        assert server.answered == []
        (small_disk / "rest").unlink()
        assert cli.main(shlex.split(words.format(run=place.run))) == 0
    assert place.run.judgements("initial").exists()


TEXT = b"x" * 10**7
PACKED = {
    "r.jsonl.gz": b'{"prompt": "' + TEXT + b'"}\n',
    "list.json.gz": b'["\n' + TEXT + b'"]',
    "document.json.gz": b'{"prompt":\n"' + TEXT + b'"}',
    "r.csv.gz": b"prompt,response,reward\n" + TEXT + b",b,1\n",
    "r.eval": TEXT,
    "1.pt": TEXT,
}


@pytest.mark.parametrize("name", PACKED)
def test_a_small_file_that_unpacks_to_more_than_the_memory_is_one_line(name, place, capsys, monkeypatch):
    path = place.tmp / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(PACKED[name]))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("samples/1.json", PACKED[name])
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**24))
    before = place.content()
    form = "inspect" if name.endswith(".eval") else "jsonl"
    code, said = one_line(capsys, f"import {form} {{tmp}}/{name} --run {{new}} --tag initial", place)
    assert f"{name} unpacks to" in said and "too much for the memory that is free" in said
    assert code == 1 and place.content() == before


def start(words: str, place: Place, **environment) -> subprocess.Popen:
    known = {"run": place.run, "new": place.tmp / "new", "tmp": place.tmp, "data": place.data, "model": place.model}
    return subprocess.Popen(
        [sys.executable, "-m", "openrlhf_unlearn.cli", *shlex.split(words.format(**known))],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    "words",
    [
        "sft-set --run {run} --output {tmp}/s --from-run {run} --from-tag none",
        "export {run} --output {tmp}/o.json --id-column uid",
        "microworld {data}",
        "probe --run {run} --model hub/x --tag initial",
        "classify {tmp}/none",
    ],
)
def test_as_a_user_starts_it_one_line_is_one(words, place):
    """What libraries print while they are imported, or while they look for a network, comes before ours."""
    process = start(words, place, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(place.tmp / "hub"))
    said = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 1 and "unexpected" not in said
    assert len(said.splitlines()) == 1, said


def shell(line: str, place: Place) -> tuple[int, str]:
    """(exit code, stderr) of a line of bash, in which `unlearn` is our program."""
    program = shlex.join([sys.executable, "-m", "openrlhf_unlearn.cli"])
    script = f'unlearn() {{ {program} "$@"; }}; {line.format(run=place.run, tmp=place.tmp)}'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("unlearn export {run} --output {tmp}/o.json | true", 0, ""),
        ("unlearn --help | head -1", 0, ""),
        ("unlearn export {run} --output {tmp}/o.json >&-", 0, ""),
        ("unlearn export {run} --output {tmp}/o.json > /dev/full", 1, "No space left on device"),
        (
            "mkdir gone; cd gone; rmdir ../gone; unlearn export {run} --output o.json",
            1,
            "the current folder was removed",
        ),
        ("unlearn export {run} --output {tmp}/o.json & wait $!; unlearn export {run} --output {tmp}/o.json", 0, ""),
    ],
)
def test_whoever_reads_or_not_there_is_at_most_one_line(line, code, says, place):
    found, said = shell(line, place)
    assert found == code and says in said
    assert len(said.splitlines()) == (1 if says else 0), said


def test_no_text_of_the_data_steers_the_terminal(place, capsys):
    rows("g.jsonl", {"response": "\x1b[2J\u202e\x9b1", "label": "\x1b]0;title\x07\u2066"})(place)
    assert cli.main(["grade", str(place.tmp / "g.jsonl")]) == 0
    assert cli.main(["grade", str(place.tmp / "\x1b[2J.jsonl")]) == 1
    said = "".join(capsys.readouterr())
    assert "u001b]0;title" in said and "u001b[2J.jsonl: no such file" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e\u2066")


@pytest.mark.parametrize("answered", [0, 3])
def test_control_c_in_augment_is_one_line_and_the_same_command_goes_on(place, answered):
    pytest.importorskip("openrlhf")
    import signal
    import time

    from tests.interventions.server import Reply, Server
    from tests.interventions.test_augment import solve, write

    def slow(request, number):
        return solve(request, number) if number <= answered else Reply(seconds=600)

    with Server(write) as writer, Server(slow) as solver:
        ends = f"--model w --base-url {writer.url} --check-model s --check-base-url {solver.url}"
        process = start(f"augment similar --run {{run}} --output {{tmp}}/out {ends}", place)
        while len(solver.requests) <= answered and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=120)[1].decode()
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "openrlhf-unlearn augment: stopped; the same command goes on from here"
    assert process.returncode == 130


def test_a_locale_without_utf_8_changes_no_file_and_breaks_no_print(place):
    make = lambda name, **more: start(  # noqa: E731
        f"analyze {{run}} --output {{tmp}}/{name} --figure-files", place, **more
    )
    place.write("given/run/prompts.parquet", place.run.prompts.read_bytes())
    narrow = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    pages = []
    for name, environment in (("wide", {"PYTHONUTF8": "1"}), ("narrow", narrow)):
        process = make(name, **environment)
        said = process.communicate(timeout=300)
        assert process.returncode == 0, said[1].decode()
        pages.append((place.tmp / name / "summary.json").read_bytes())
    wide, thin = (json.loads(page.decode("utf-8")) for page in pages)
    assert wide["report"]["groups"] == thin["report"]["groups"]


@pytest.mark.parametrize("words", ["classify {tmp}/ré", "demo {tmp}/dé --no-open"])
def test_a_name_that_a_locale_without_utf_8_cannot_read_is_told_with_the_fix(words, place):
    place.run.path.rename(place.tmp / "ré")
    narrow = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    process = start(words, place, **narrow)
    said = process.communicate(timeout=300)[1].decode().splitlines()
    assert process.returncode == 1, said
    assert said[-1].endswith("cannot be named in a locale without UTF-8; set PYTHONUTF8=1 and call again")


def test_a_name_that_is_no_utf_8_is_to_be_renamed(place, capsys):
    name = os.fsencode(place.tmp) + b"/r\xe9"
    os.rename(place.run.path, name)
    assert cli.main(["classify", os.fsdecode(name)]) == 1
    assert "is a name that is not UTF-8; rename it" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_is_a_note(place):
    pytest.importorskip("datasets")
    process = start("export {run} --output {tmp}/o --format dataset", place, HOME="/dev/null", XDG_CACHE_HOME="")
    said = process.communicate(timeout=300)[1].decode().splitlines()
    assert process.returncode == 0, said
    (note,) = said
    assert note.startswith("note: /dev/null/.cache cannot be written: caches are in")
    assert (place.tmp / "o" / "dataset_info.json").exists()
