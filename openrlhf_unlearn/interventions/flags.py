"""The flags of every verb that asks an endpoint, and the budget that they state before it starts."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.interventions.client import Endpoint, Request, most_tokens
from openrlhf_unlearn.interventions.journal import Journal

REPAIRS = 1  # times that an answer of the wrong shape is asked for again


def add_endpoint(parser: argparse.ArgumentParser, prefix: str = "", what: str = "the endpoint") -> None:
    """--PREFIXmodel, --PREFIXbase-url, …: one endpoint."""
    add = parser.add_argument_group(what).add_argument
    add(f"--{prefix}model", metavar="NAME", help="the model's name there")
    add(f"--{prefix}base-url", metavar="URL", help="such as http://localhost:8000/v1; default: OpenAI's own")
    add(f"--{prefix}api-key-env", default="OPENAI_API_KEY", metavar="VAR", help="the variable that holds the key")
    add(f"--{prefix}temperature", type=float, help="default: the endpoint's")
    add(f"--{prefix}max-answer-tokens", type=int, default=8192, help="of one answer, its thinking included")
    add(f"--{prefix}concurrency", type=int, default=16, help="requests in flight at most")
    add(f"--{prefix}per-minute", type=float, default=0, help="requests a minute at most; 0: no limit")
    add(f"--{prefix}tokens-per-minute", type=float, default=0, help="tokens a minute at most; 0: no limit")
    add(
        f"--{prefix}structured",
        choices=["json_schema", "json_object", "none"],
        default="json_schema",
        help="how the shape of an answer is asked for; what the server knows",
    )
    add(f"--{prefix}extra-body", type=json.loads, default={}, metavar="JSON", help="further fields of each request")


def add_budget(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the budget, of all endpoints and of earlier tries of the same job").add_argument
    add("--budget-calls", type=int, help="answers paid for at most; default: what the job needs, beyond what is spent")
    add("--budget-tokens", type=int, help="prompts and answers together at most; default: likewise")
    add("--timeout", type=float, default=120, help="seconds without a sign of the server")
    add("--tries", type=int, default=8, help="of one request, before the job stops and can be taken up again")
    add("--plan", action="store_true", help="say what it would take, and stop")


def endpoint(args: argparse.Namespace, prefix: str = "") -> Endpoint:
    """The endpoint that the flags name. Raises UsageError without a model."""

    def value(name: str):
        return getattr(args, (prefix + name).replace("-", "_"))

    if not value("model"):
        raise UsageError(f"give --{prefix}model, the name of the model at the endpoint")
    return Endpoint(
        model=value("model"),
        base_url=value("base-url"),
        api_key_env=value("api-key-env"),
        structured=value("structured"),
        extra_body=value("extra-body"),
        concurrency=value("concurrency"),
        per_minute=value("per-minute"),
        tokens_per_minute=value("tokens-per-minute"),
        timeout_s=args.timeout,
        tries=args.tries,
    )


def needed(requests: Iterable[Request]) -> tuple[int, int]:
    """(calls, tokens) that the requests take at most, each repaired as often as it may be."""
    calls = tokens = 0
    for request in requests:
        times = 1 + (REPAIRS if request.shape else 0)
        calls += times
        tokens += most_tokens(request) * times + request.max_tokens * (times - 1)
    return calls, tokens


def open_journal(path: Path, args: argparse.Namespace, needs: tuple[int, int]) -> Journal:
    """The job's journal with its budget, which is stated before anything is sent: what was asked for, else `needs`
    beyond what the journal says was spent."""
    journal = Journal(path, 0, 0)
    spent = journal.spent
    journal.calls = spent.calls + needs[0] if args.budget_calls is None else args.budget_calls
    journal.tokens = spent.tokens + needs[1] if args.budget_tokens is None else args.budget_tokens
    print(
        f"budget: {journal.calls} calls and {journal.tokens} tokens, {spent.calls} and {spent.tokens} of them spent;"
        f" without what is answered already this takes at most {needs[0]} and {needs[1]}, failed tries apart",
        flush=True,
    )
    if journal.lost:
        print(f"note: {journal.lost} requests were in flight when the last command died; they count as spent")
    return journal
