"""A grading process: one JSON line in, one out. It may hang or die on any answer; pool.py kills and replaces it.

python -m openrlhf_unlearn.grading.worker FORMAT MEMORY_MB
"""

import contextlib
import json
import os
import resource
import sys

from openrlhf_unlearn.grading import formats
from openrlhf_unlearn.grading.grade import Grade


def answer_to(request: dict, answer_format: str) -> dict:
    """The reply to {'response', 'label'} or, without 'response', to the question whether the label is gradable."""
    try:
        if "response" not in request:
            return {"gradable": formats.label_is_gradable(request["label"], answer_format)}
        return vars(formats.grade_one(request["response"], request["label"], answer_format))
    except MemoryError:
        raise
    except Exception:  # an answer that breaks the parser is the answer's fault, and one verdict says so
        return {"gradable": False} if "response" not in request else vars(Grade.of("error"))


def main() -> None:
    answer_format, memory_mb = sys.argv[1], int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    from math_verify import parse, verify

    verify(parse("$1$", parsing_timeout=None), parse("$1$", parsing_timeout=None), timeout_seconds=None)  # warm up
    sys.setrecursionlimit(3000)
    with contextlib.suppress(ValueError, OSError):
        in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        limit = in_use + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer_to(json.loads(line), answer_format)), file=replies, flush=True)


if __name__ == "__main__":
    main()
