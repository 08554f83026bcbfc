"""Half of each cluster's prompts, to train on: examples/transfer.sh.

    python examples/transfer_halves.py RUN FOLDER [--clusters FILE.json]

Writes FOLDER/NAME.json (prompt ids, for --unlearn.only_prompts), clusters.json (for `transfer --clusters`) and
names.txt. Without --clusters a prompt's cluster is its datasource, on the built-in world its letter.
"""

import argparse
import re
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, write_json
from openrlhf_unlearn.transfer.clusters import by_datasource, by_file
from openrlhf_unlearn.transfer.predict import LEAST
from openrlhf_unlearn.transfer.verify import split
from openrlhf_unlearn.worlds.world import DATASOURCE


def halves(run: RunDir, clusters: dict[str, str], folder: Path) -> list[str]:
    """Write the files; returns the names of the clusters, those of fewer than 2 LEAST prompts left out."""
    train, measured = split(clusters, 0)
    names = [name for name in train if min(len(train[name]), len(measured[name])) >= LEAST]
    if not names:
        raise UserError(f"{run}: no cluster has {2 * LEAST} prompts")
    files = {name: re.sub(r"[^\w-]", "_", name) for name in names}
    if len(set(files.values())) < len(files):
        raise UserError("two clusters have names that are one as a file; rename one in --clusters")
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        write_json(folder / f"{file}.json", train[name])
    write_json(folder / "clusters.json", {prompt: name for prompt, name in clusters.items() if name in files})
    (folder / "names.txt").write_text("".join(f"{file}\n" for file in files.values()), encoding="utf-8")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=RunDir.open)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clusters", type=Path)
    args = parser.parse_args()
    clusters = by_file(args.clusters) if args.clusters else by_datasource(args.run)
    if set(clusters.values()) == {DATASOURCE}:
        clusters = {prompt: (text or "?")[0] for prompt, text in Prompts.texts(args.run).items()}
    try:
        names = halves(args.run, clusters, args.folder)
    except UserError as error:
        raise SystemExit(f"{Path(__file__).name}: {error}") from None
    print(f"{len(names)} clusters: {', '.join(names)}")


if __name__ == "__main__":
    main()
