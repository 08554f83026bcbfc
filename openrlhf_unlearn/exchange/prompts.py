"""The prompts that an import meets, each once, by what the files call it or by its text and label."""

import sys

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.formats.base import ImportedRollout
from openrlhf_unlearn.store.prompts import Prompts as PromptTable
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id


class Prompts:
    """The run's prompts so far; `save` writes them with what an import added."""

    def __init__(self, run_dir: RunDir):
        self.rows: dict = {}  # prompt id → PromptTable.Row
        self.several: set[str] = set()  # ids that came with several texts
        self._names: dict[tuple, str] = {}
        if run_dir.prompts.exists():
            self.rows = PromptTable.read(run_dir).by_prompt()

    def add(self, rollout: ImportedRollout, source: str) -> str:
        """The prompt's id. One that was known by its name only takes the text that comes now."""
        key = (rollout.id, rollout.prompt, rollout.label)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = sys.intern(self._add(rollout, source))
        return name

    def _add(self, rollout: ImportedRollout, source: str) -> str:
        if rollout.id is not None:
            name = prompt_id(rollout.id, None)
        elif rollout.prompt is not None:
            name = prompt_id(rollout.prompt, rollout.label)
        else:
            raise UserError(f"a rollout from {source} has neither a prompt nor an id")
        row = self.rows.get(name) or PromptTable.Row(name, datasource=source, source_id=rollout.id)
        if None not in (row.prompt, rollout.prompt) and row.prompt != rollout.prompt:
            self.several.add(name)
        self.rows[name] = row._replace(
            prompt=rollout.prompt if row.prompt is None else row.prompt,
            label=rollout.label if row.label is None else row.label,
        )
        return name

    def told(self):
        """Lines on prompts that may be one, or may be several."""
        bare: dict[tuple, int] = {}
        for row in self.rows.values():
            if row.source_id is None and row.prompt is not None:
                key = (row.prompt.strip(), row.label)
                bare[key] = bare.get(key, 0) + 1
        alike = sum(n > 1 for n in bare.values())
        if alike:
            yield f"{alike} prompts come in several forms that differ only by space at an end; they are kept apart"
        if self.several:
            name = self.rows[next(iter(self.several))].source_id
            yield (
                f"{len(self.several)} ids (such as {name}) come with several texts; each is taken for one prompt, with "
                "the first text"
            )

    def save(self, run_dir: RunDir) -> None:
        PromptTable.of_rows(self.rows.values(), PromptTable.source_id).write(run_dir)
