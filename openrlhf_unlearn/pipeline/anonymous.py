"""Copies of runs without names: what a report is made of, and nothing that says whose it is.

Tables are links to the originals. Of JSON, numbers stay; every path, and every name of a model or data set, becomes a
placeholder, the same one for the same name; so do the evaluations of second models, which are called after them. The
training's command, its host and versions of packages are left out.
"""

import json
import os
import shlex
from pathlib import Path
from typing import Any

from openrlhf_unlearn.pipeline.diagnose import last_seconds
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_object, write_json

EMPTIED = {"versions", "host", "created_by", "data_files"}  # fields that say how and where
NAMED = {"model": "model", "data": "data", "run": "run", "runs": "run", "path": "path", "checkpoint": "checkpoint"}
SKIPPED = {"report", "checkpoints", "logs"}
TAGGED = {"evaluations", "judgements"}  # folders with files of one evaluation each


class Names:
    """Placeholders, one a name, in the order that the names are met."""

    def __init__(self):
        self.known: dict[str, str] = {}

    def of(self, kind: str, name: str) -> str:
        if name not in self.known:
            number = 1 + sum(said.startswith(f"{kind} ") for said in self.known.values())
            self.known[name] = f"{kind} {number}"
        return self.known[name]

    def clean(self, value: Any, field: str = "") -> Any:
        """`value`, as JSON holds it, without names; `field`: what it is the value of."""
        if isinstance(value, dict):
            return {key: type(item)() if key in EMPTIED else self.clean(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item, field) for item in value]
        if not isinstance(value, str) or not value:
            return value
        if field == "command":
            return " ".join("…" if os.sep in word or word in self.known else word for word in _words(value))
        kind = NAMED.get(field.rpartition("_")[2])
        if value in self.known or kind or os.sep in value:
            return self.of(kind or "path", value)
        return value


def anonymous_runs(runs: list[RunDir], folder: Path) -> list[str]:
    """Copies named run-1, run-2, … in `folder`; returns their names."""
    names = Names()
    for number, run in enumerate(runs, 1):
        copy, tags = folder / f"run-{number}", _tags(run, names)
        for path in sorted(run.path.rglob("*")):
            relative = path.relative_to(run.path)
            if (
                not path.is_file()
                or relative.parts[0] in SKIPPED
                or any(part.startswith(".") for part in relative.parts)
            ):
                continue
            if relative.parts[0] in TAGGED and path.stem in tags:
                relative = relative.with_name(tags[path.stem] + path.suffix)
            if path.suffix == ".json":
                write_json(copy / relative, _about(run, path, names))
            elif path.suffix in (".parquet", ".safetensors"):
                _link(copy / relative, path)
        if run.causes_json.exists():
            _seconds(run, copy, tags, names)
    return [f"run-{number}" for number in range(1, len(runs) + 1)]


def _tags(run: RunDir, names: Names) -> dict[str, str]:
    """Tag → another one, of the evaluations that are called after their models, as `diagnose --second MODEL` does."""
    from openrlhf_unlearn.causes.audit import evaluation_tag

    about = [(tag, run.evaluation_json(tag)) for tag in run.evaluation_tags()]
    models = {tag: read_object(path).get("model") for tag, path in about if path.exists()}
    return {
        tag: names.of("model", model).replace(" ", "-")
        for tag, model in models.items()
        if model and tag == evaluation_tag(model)
    }


def _seconds(run: RunDir, copy: Path, tags: dict[str, str], names: Names) -> None:
    """The second models of the diagnosis: without them the causes would be others."""
    about, kept = read_object(RunDir(copy).causes_json), []
    for name, path in last_seconds(run):
        if run.evaluation(name).exists() and Path(path).resolve() == run.evaluation(name).resolve():
            name = tags.get(name, name)
            kept.append([name, RunDir("").evaluation(name).as_posix()])
        elif Path(path).exists():  # of another run
            name = names.of("model", f"{name} of {path}")
            _link(copy / "seconds" / f"{name}.parquet", Path(path))
            kept.append([name, f"seconds/{name}.parquet"])
    about |= {"seconds": [name for name, _ in kept], "made_from": {"seconds": kept}}
    write_json(RunDir(copy).causes_json, about)


def _link(place: Path, path: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(path.resolve())


def _about(run: RunDir, path: Path, names: Names) -> dict | list:
    if path.parent == run.cause_lists:
        return read_json(path)  # a list of prompts
    value = read_object(path)
    if path == run.run_json:
        own = (value.get("args") or {}).get("unlearn") or {}
        kept = {key: own[key] for key in ("skip_prompts", "only_prompts") if own.get(key)}
        value = {**value, "command": "", "args": {"unlearn": kept}}
    if path == run.causes_json:  # the remedies' commands, without the folders of their arguments
        remedies = [_remedy(cure) for cure in value.get("remedies", ())]
        return json.loads(json.dumps({**names.clean(value), "remedies": remedies}))
    if path == run.summary:
        value = {key: part for key, part in value.items() if key != "report"}
    return json.loads(json.dumps(names.clean(value)))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation mark without its other, as versions wrote that did not quote
        return command.split()


def _remedy(cure: dict) -> dict:
    """A remedy with its command, in which folders are called RUN."""
    ways = (_words(way) for way in cure["command"].split("\n"))
    return {**cure, "command": "\n".join(" ".join("RUN" if os.sep in word else word for word in way) for way in ways)}
