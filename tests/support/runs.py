"""How every run directory of the tests begins: its run.json and its prompts, through the package's own writers."""

import os
from collections.abc import Iterable

from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import SCHEMA_VERSION, RunDir, prompt_id, write_json


def start(path: str | os.PathLike, prompts: Iterable[tuple[str, str]], datasource: str = "test", **config) -> RunDir:
    """prompts: (prompt, label) each; config: of run.json, besides its version."""
    run = RunDir(path)
    write_json(run.run_json, {"schema_version": SCHEMA_VERSION, "args": {}, **config})
    rows = (
        Prompts.Row(prompt_id=prompt_id(prompt, label), prompt=prompt, label=label, datasource=datasource)
        for prompt, label in prompts
    )
    Prompts.of_rows(rows).write(run)
    return run
