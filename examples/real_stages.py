"""Wall time and most memory of one stage of examples/real.sh: a line {stage, seconds, peak_gb} of stages.jsonl.

`python examples/real_stages.py PID STAGE --output FILE` watches all processes below PID until it is told to end
(SIGTERM) or PID is gone. Pages that processes share are counted once.
"""

import argparse
import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import psutil

EVERY_S = 3.0
SHARE = 0.02  # of a core's time that it takes at most: what it watches may have two


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pid", type=int)
    parser.add_argument("stage")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    started, peak = time.monotonic(), 0.0
    while True:
        asked = time.monotonic()
        peak = max(peak, memory_below(args.pid))
        if told.wait(max(EVERY_S, (time.monotonic() - asked) / SHARE)) or has_ended(args.pid):
            break
    line = {"stage": args.stage, "seconds": round(time.monotonic() - started, 1), "peak_gb": round(peak / 1e9, 2)}
    with args.output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def has_ended(pid: int) -> bool:
    """Also of one that nobody has asked yet how it ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def memory_below(pid: int) -> float:
    """Bytes that the processes below `pid` hold, this one apart."""
    total = 0
    try:
        processes = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it has ended
            total += process.memory_full_info().pss if process.pid != os.getpid() else 0
    return float(total)


if __name__ == "__main__":
    main()
