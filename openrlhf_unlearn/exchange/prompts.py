"""The prompts that an import meets, each once, by what the files call it or by its text and label."""

import sys

import pyarrow as pa

from openrlhf_unlearn.exchange.formats.base import Rollout
from openrlhf_unlearn.store.run_dir import SCHEMAS, RunDir, prompt_id, read_table, write_table

# `source_id`: what the imported files call the prompt.
PROMPTS = SCHEMAS["prompts"].append(pa.field("source_id", pa.string()))


class Prompts:
    """The run's prompts so far; `save` writes them with what an import added."""

    def __init__(self, run_dir: RunDir):
        self.run = run_dir
        self.rows: dict[str, dict] = {}
        self.several: set[str] = set()  # ids that came with several texts
        self._names: dict[tuple, str] = {}
        if run_dir.prompts.exists():
            for row in read_table(run_dir.prompts).to_pylist():
                self.rows[row["prompt_id"]] = {"source_id": None, **row}

    def add(self, rollout: Rollout, source: str) -> str:
        """The prompt's id. One that was known by its name only takes the text that comes now."""
        key = (rollout.id, rollout.prompt, rollout.label)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = sys.intern(self._add(rollout, source))
        return name

    def _add(self, rollout: Rollout, source: str) -> str:
        if rollout.id is not None:
            name = prompt_id(rollout.id, None)
        else:
            name = prompt_id(rollout.prompt, rollout.label)
        row = self.rows.setdefault(
            name, {"prompt_id": name, "prompt": None, "label": None, "datasource": source, "source_id": rollout.id}
        )
        if None not in (row["prompt"], rollout.prompt) and row["prompt"] != rollout.prompt:
            self.several.add(name)
        row["prompt"] = rollout.prompt if row["prompt"] is None else row["prompt"]
        row["label"] = rollout.label if row["label"] is None else row["label"]
        return name

    def told(self):
        """Lines on prompts that may be one, or may be several."""
        bare: dict[tuple, int] = {}
        for row in self.rows.values():
            if row["source_id"] is None and row["prompt"] is not None:
                key = (row["prompt"].strip(), row["label"])
                bare[key] = bare.get(key, 0) + 1
        alike = sum(n > 1 for n in bare.values())
        if alike:
            yield f"{alike} prompts come in several forms that differ only by space at an end; they are kept apart"
        if self.several:
            name = self.rows[next(iter(self.several))]["source_id"]
            yield (
                f"{len(self.several)} ids (such as {name}) come with several texts; each is taken for one prompt, with "
                "the first text"
            )

    def save(self) -> None:
        write_table(self.run.prompts, pa.Table.from_pylist(list(self.rows.values()), schema=PROMPTS))
