"""The client against a scripted server: whatever it does, nothing is lost, paid twice, or beyond the budget."""

import asyncio
import json
import multiprocessing
import os
import signal
import time

import pytest
from pydantic import BaseModel

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.interventions.client import Client, Request, gather
from openrlhf_unlearn.interventions.endpoint import Endpoint, Limits
from openrlhf_unlearn.interventions.journal import Journal
from tests.interventions.server import Reply, Server

PLENTY = 1_000_000


class Sum(BaseModel):
    value: int


def question(number: int, **more) -> Request:
    return Request((("user", f"What is {number}+{number}?"),), max_tokens=50, **more)


def numbered(request: dict) -> int:
    return int(request["messages"][0]["content"].split()[2].split("+")[0])


def honest(request: dict, n: int) -> Reply:
    return Reply(json.dumps({"value": 2 * numbered(request)}))


def ask(url: str, path, requests: list[Request], calls: int = PLENTY, tokens: int = PLENTY, **settings):
    """(answers that came, why it stopped or None, what the journal says was spent, tries that failed)"""
    limits = Limits(tries=settings.pop("tries", 8))
    endpoint = Endpoint(**{"model": "scripted", "base_url": url, "concurrency": 8, **settings})

    async def run():
        with Journal(path, calls, tokens) as journal:
            async with Client(endpoint, journal, limits, backoff_s=0.01) as client:
                answers, stopped = await gather((client.ask(r) for r in requests), len(requests), "test")
            return answers, stopped, journal.spent, journal.failures

    return asyncio.run(run())


def test_answers_come_back_checked_and_are_paid_once(tmp_path):
    requests = [question(i, shape=Sum) for i in range(30)]
    with Server(honest) as server:
        answers, stopped, spent, _ = ask(server.url, tmp_path / "j", requests)
        again, _, spent_again, _ = ask(server.url, tmp_path / "j", requests)
    assert [answer.value.value for answer in answers] == [2 * i for i in range(30)] and stopped is None
    assert again == answers and len(server.requests) == 30
    assert (spent.calls, spent.tokens) == (30, server.tokens) == (spent_again.calls, spent_again.tokens)
    assert server.requests[0]["response_format"]["json_schema"]["schema"]["required"] == ["value"]
    assert server.most_at_once <= 8


def test_the_same_request_asked_at_once_is_paid_once_but_samples_are_apart(tmp_path):
    with Server(honest) as server:
        ask(server.url, tmp_path / "j", [question(1)] * 5 + [question(1, sample=1)])
    assert len(server.requests) == 2


def test_storms_of_429_and_500_pass_and_cost_nothing(tmp_path):
    refused = {}

    def stormy(request: dict, n: int) -> Reply:
        refused[numbered(request)] = tries = refused.get(numbered(request), 0) + 1
        if tries <= 3:
            return Reply(status=(429, 500, 503)[tries - 1], headers={"retry-after": "0.02"})
        return honest(request, n)

    with Server(stormy) as server:
        answers, stopped, spent, failures = ask(server.url, tmp_path / "j", [question(i) for i in range(20)])
    assert stopped is None and len(answers) == 20
    assert failures == {"status 429": 20, "status 500": 20, "status 503": 20}
    assert (spent.calls, spent.tokens) == (20, server.tokens)


def test_cut_off_streams_are_asked_again_and_counted(tmp_path):
    def cutting(request: dict, n: int) -> Reply:
        return Reply('{"value": 1234}', cut=6) if n % 3 == 1 else honest(request, n)

    with Server(cutting) as server:
        answers, stopped, spent, failures = ask(server.url, tmp_path / "j", [question(i, shape=Sum) for i in range(20)])
    assert stopped is None and sorted(a.value.value for a in answers) == [2 * i for i in range(20)]
    assert failures["stream cut off"] > 0
    assert spent.calls == len(server.answered) and spent.tokens >= server.tokens


def test_bad_json_is_repaired_once_and_a_refusal_is_not_asked_again(tmp_path):
    def clumsy(request: dict, n: int) -> Reply:
        number = numbered(request)
        if number == 0:
            return Reply(refusal="I would rather not.")
        if number == 1:
            return Reply("I think it is 2.")
        if len(request["messages"]) == 1:
            return Reply('{"value": "many"}' if number == 2 else '{"value": 6', finish="length")
        return honest(request, n)

    with Server(clumsy) as server:
        answers, _, _, _ = ask(server.url, tmp_path / "j", [question(i, shape=Sum) for i in range(4)])
        asked = len(server.requests)
        assert ask(server.url, tmp_path / "j", [question(i, shape=Sum) for i in range(4)])[0] == answers
    assert [answer.status for answer in answers] == ["refused", "invalid", "ok", "ok"]
    assert answers[1].problem == "it is not JSON (Expecting value: line 1 column 1 (char 0))"
    assert [len(server.requests), asked] == [7, 7]
    repairs = [request["messages"][2]["content"] for request in server.requests if len(request["messages"]) == 3]
    assert any("cut off after 50 tokens" in complaint for complaint in repairs)


def test_a_request_that_the_server_rejects_stops_nobody_and_costs_nothing(tmp_path):
    with Server(lambda r, n: Reply(status=400) if numbered(r) == 1 else honest(r, n)) as server:
        answers, stopped, spent, _ = ask(server.url, tmp_path / "j", [question(i) for i in range(3)])
    assert [answer.status for answer in answers] == ["ok", "rejected", "ok"] and stopped is None
    assert (spent.calls, spent.tokens) == (2, server.tokens)


@pytest.mark.parametrize("reply", [Reply(status=401), Reply(status=429, error={"code": "insufficient_quota"})])
def test_a_wrong_key_or_an_empty_account_stops_the_job(tmp_path, reply):
    with Server(lambda request, n: reply) as server:
        answers, stopped, _, _ = ask(server.url, tmp_path / "j", [question(i) for i in range(50)])
    assert not answers and f"{server.url} refuses: " in str(stopped)
    assert len(server.requests) <= 8


@pytest.mark.parametrize("calls, tokens", [(7, PLENTY), (PLENTY, 2000), (1, PLENTY), (PLENTY, 10)])
def test_the_budget_is_never_passed_and_more_of_it_goes_on(tmp_path, calls, tokens):
    def trouble(request: dict, n: int) -> Reply:
        return Reply("x" * 90, cut=9) if n % 4 == 0 else Reply(status=500) if n % 5 == 0 else Reply("x" * 90)

    requests = [question(i) for i in range(25)]
    with Server(trouble) as server:
        answers, stopped, spent, _ = ask(server.url, tmp_path / "j", requests, calls, tokens)
        assert "the budget is spent" in str(stopped) and len(answers) < 25
        assert len(server.answered) <= spent.calls <= calls and server.tokens <= spent.tokens <= tokens
        more, stopped, spent, _ = ask(server.url, tmp_path / "j", requests)
    assert stopped is None and len(more) == 25
    asked = [numbered(request) for request in server.answered]
    assert spent.calls == len(asked)


def test_a_server_that_dies_stops_the_job_and_the_next_command_goes_on(tmp_path):
    requests = [question(i) for i in range(30)]

    def dying(request: dict, n: int) -> Reply:
        if n > 10:
            raise ConnectionAbortedError
        return honest(request, n)

    with Server(dying) as server:
        server._http.handle_error = lambda *args: None
        answers, stopped, _, _ = ask(server.url, tmp_path / "j", requests, tries=3)
    assert len(answers) == 10 and "gave no answer in 3 tries" in str(stopped)
    _, stopped, spent, failures = ask(server.url, tmp_path / "j", requests, tries=1)  # nobody listens there now
    assert "in 1 try (" in str(stopped) and "the same command goes on" in str(stopped) and failures["no connection"] > 0
    with Server(honest) as second:
        answers, stopped, _, _ = ask(second.url, tmp_path / "j", requests)
    assert stopped is None and len(answers) == 30 and len(second.requests) == 20


def _child(url: str, path, requests: list[Request]) -> None:
    ask(url, path, requests)


def test_a_killed_job_loses_nothing_and_pays_nothing_twice(tmp_path):
    requests = [question(i) for i in range(40)]
    path = tmp_path / "j"
    with Server(lambda r, n: Reply(honest(r, n).text, seconds=0.03)) as server:
        child = multiprocessing.get_context("spawn").Process(target=_child, args=(server.url, path, requests))
        child.start()
        while len(server.answered) < 12:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with path.open("ab") as file:
            file.write(b'{"number": 9999, "key')  # a line that the kill cut off
    kept = [json.loads(line)["key"] for line in path.read_bytes().splitlines()[:-1] if b'"answer"' in line]
    with Server(honest) as second:
        answers, stopped, spent, _ = ask(second.url, path, requests)
    assert stopped is None and len(answers) == 40 and len(set(kept)) == len(kept) >= 4
    assert len(second.requests) == 40 - len(kept)
    # What was in flight counts as spent: nobody knows whether it was billed.
    assert spent.calls >= len(server.answered) + 40 - len(kept) and spent.tokens >= server.tokens + second.tokens


def test_one_journal_one_writer_and_a_broken_line_is_named(tmp_path):
    with Journal(tmp_path / "j", 1, 1), pytest.raises(UserError, match="in use by another command"):
        Journal(tmp_path / "j", 1, 1)
    (tmp_path / "k").write_text("nonsense\n")
    with pytest.raises(UserError, match="line 1 is not JSON"):
        Journal(tmp_path / "k", 1, 1)


def test_requests_leave_at_the_rate_that_was_asked_for(tmp_path):
    with Server(honest) as server:
        ask(server.url, tmp_path / "j", [question(i) for i in range(6)], per_minute=1200)
    assert server.arrivals[-1] - server.arrivals[0] >= 5 * 0.05 * 0.8


def test_a_try_is_reserved_for_the_most_that_it_can_cost(tmp_path):
    with Server(lambda request, n: Reply("é" * 600)) as server:
        _, _, spent, _ = ask(server.url, tmp_path / "j", [question(i) for i in range(5)])
    reserved = [json.loads(line).get("reserved", 0) for line in (tmp_path / "j").read_text().splitlines()]
    assert sum(reserved) >= server.tokens == spent.tokens


def test_no_endpoint_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Journal(tmp_path / "j", 1, 1) as journal, pytest.raises(UserError, match="give --base-url"):
        Client(Endpoint("m"), journal, Limits())
