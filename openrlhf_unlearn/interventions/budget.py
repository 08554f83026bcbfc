"""The budget of a job that asks endpoints, stated before it starts."""

from collections.abc import Iterable
from pathlib import Path

from openrlhf_unlearn.interventions.client import REPAIRS, Request, most_tokens
from openrlhf_unlearn.interventions.endpoint import Limits
from openrlhf_unlearn.interventions.journal import Journal


def needed(requests: Iterable[Request]) -> tuple[int, int]:
    """(calls, tokens) that the requests take at most, each repaired as often as it may be."""
    calls = tokens = 0
    for request in requests:
        times = 1 + (REPAIRS if request.shape else 0)
        calls += times
        tokens += most_tokens(request) * times + request.max_tokens * (times - 1)
    return calls, tokens


def open_journal(path: Path, limits: Limits, needs: tuple[int, int]) -> Journal:
    """The job's journal with its budget, which is stated before anything is sent: what was asked for, else `needs`
    beyond what the journal says was spent."""
    journal = Journal(path, 0, 0)
    spent = journal.spent
    journal.calls = spent.calls + needs[0] if limits.budget_calls is None else limits.budget_calls
    journal.tokens = spent.tokens + needs[1] if limits.budget_tokens is None else limits.budget_tokens
    print(
        f"budget: {journal.calls} calls and {journal.tokens} tokens, {spent.calls} and {spent.tokens} of them spent;"
        f" without what is answered already this takes at most {needs[0]} and {needs[1]}, failed tries apart",
        flush=True,
    )
    if journal.lost:
        print(f"note: {journal.lost} requests were in flight when the last command died; they count as spent")
    return journal
