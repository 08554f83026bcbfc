"""Verbs that are stopped while they work, twice, and then left to finish.

    python -m tests.stopping FOLDER       prints one JSON line a verb: what went wrong, [] if nothing

Each verb runs once undisturbed. Then, in a copy of the same folder, it is stopped by Ctrl-C at a third of that time,
its whole process group as a terminal does it; started again and stopped by SIGTERM at two thirds, the process alone as
a scheduler does it; and started a third time. Processes are forked, as in tests/pairs.py.
"""

import json
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import read_json, read_table
from tests.pairs import VERBS, make, prepare

STOPPED = ("analyze", "import", "import steps", "regrade", "evaluate", "probe", "diagnose", "hints")
ENDS = {signal.SIGINT: (130, ": stopped; the same"), signal.SIGTERM: (143, ": stopped by SIGTERM; the same")}
ROWS = 30_000


def start(words: str, place: Path) -> int:
    """The pid of a forked process that does `words` in a folder, with a session of its own."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    os.chdir(place)
    out = os.open("said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = cli.main(shlex.split(words))
    for thread in threading.enumerate():  # as at the end of every program: what one of them writes is written
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(10)
    sys.stderr.flush()
    os._exit(code)


def stop(pid: int, number: signal.Signals, after_s: float, place: Path) -> list[str]:
    """What is wrong with how the process ends on the signal; one that was done before is fine."""
    time.sleep(after_s)
    (os.killpg if number == signal.SIGINT else os.kill)(pid, number)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said, wrong = (place / "said").read_text(encoding="utf-8"), []
    wanted, words = ENDS[number]
    if code not in (0, wanted) or (code and words not in said.splitlines()[-1]):
        wrong.append(f"{number.name}: exit {code}: {said[-600:]}")
    if "Traceback" in said or "unexpected" in said:
        wrong.append(f"{number.name}: trace: {said[-600:]}")
    time.sleep(0.1)
    wrong += [f"{number.name}: {process} outlives" for process in psutil.process_iter() if _session(process) == pid]
    wrong += [f"{number.name}: half written: {path}" for run in ("run", "new") for path in (place / run).rglob(".*")]
    for path in [*place.glob("*/**/*.json"), *place.glob("*/**/*.parquet")]:
        (read_json if path.suffix == ".json" else read_table)(path)
    return wrong


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def content(place: Path) -> dict[str, object]:
    """Every table of the folder's runs, and the names of the other files."""
    files = (path for path in place.rglob("*") if path.is_file())
    return {
        str(path.relative_to(place)): sorted(map(str, read_table(path).to_pylist())) if path.suffix == ".parquet" else 0
        for path in files
    }


def faults(name: str, folder: Path) -> list[str]:
    places = [folder / "stopped" / name / turn for turn in ("undisturbed", "stopped")]
    for place in places:
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("stopped"))
    began = time.monotonic()
    wrong = [] if _ends(start(VERBS[name], places[0])) == 0 else [f"undisturbed: {(places[0] / 'said').read_text()}"]
    seconds = time.monotonic() - began
    for number, share in ((signal.SIGINT, 1 / 3), (signal.SIGTERM, 2 / 3)):
        wrong += stop(start(VERBS[name], places[1]), number, share * seconds, places[1])
    code, said = _ends(start(VERBS[name], places[1])), (places[1] / "said").read_text(encoding="utf-8")
    if code and "is there already" not in said and "exists; choose" not in said and "already holds" not in said:
        wrong.append(f"does not go on: exit {code}: {said[-600:]}")
    first, second = map(content, places)
    if name.startswith("evaluate"):  # coins are tossed anew
        first, second = ({path: len(rows or ()) for path, rows in tables.items()} for tables in (first, second))
    wrong += [
        f"{path} is another" for path in sorted(first.keys() | second.keys()) if first.get(path) != second.get(path)
    ]
    return wrong


def _ends(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    prepare()
    make(folder)
    rows = [{"prompt": f"new {i % 50}", "response": "x", "reward": i % 2, "step": i // 1000} for i in range(ROWS)]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in (name for name in STOPPED if name in VERBS):
        print(json.dumps({"stopped": name, "wrong": faults(name, folder)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
