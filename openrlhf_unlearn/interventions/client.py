"""One client for every OpenAI-compatible endpoint: vLLM, SGLang or a hosted model.

Answers are streamed, so that a dead server is noticed at the next token and not after minutes. A request is sent only
when the journal's budget holds the most it can cost. Refused ones (429, 5xx, no connection) are tried again with
back-off; a 429 slows all of them. Where tries run out the job stops, after what is in flight has come in: whatever was
answered is in the journal, and the same command goes on.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterable, Awaitable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import openai

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.interventions.endpoint import Endpoint, Limits
from openrlhf_unlearn.interventions.journal import Journal, content_key
from openrlhf_unlearn.interventions.structured import Shape, parse
from openrlhf_unlearn.masking import mask_text, mask_values

REPAIRS = 1  # times that an answer of the wrong shape is asked for again
TEMPLATE_TOKENS = 128  # what a chat template adds at most: roles, a default system prompt, today's date
MAYBE_BILLED = (408, 504, 524)  # a gateway gave up on an answer that the model behind it may have finished
FATAL = (401, 402, 403, 404)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request(Generic[Shape]):
    """`messages`: (role, content) pairs. `sample` tells requests of the same content apart. `shape` None: any text."""

    messages: tuple[tuple[str, str], ...]
    max_tokens: int
    shape: type[Shape] | None = None
    temperature: float | None = None
    sample: int = 0

    def after(self, answer: str, complaint: str) -> "Request[Shape]":
        """The same request, with an answer that would not do and why."""
        return replace(self, messages=(*self.messages, ("assistant", answer), ("user", complaint)))


@dataclass(frozen=True)
class Answer(Generic[Shape]):
    """`status`: ok, refused (by the model), invalid (not of the shape asked for) or rejected (by the server)."""

    status: str
    text: str
    value: Shape | None = None
    problem: str = ""


def most_tokens(request: Request) -> int:
    """An upper bound of prompt and answer: no tokenizer makes more tokens of a text than it has bytes."""
    text = sum(len(content.encode()) + 8 for _, content in request.messages)
    schema = len(str(request.shape.model_json_schema())) if request.shape else 0
    return text + schema + TEMPLATE_TOKENS + request.max_tokens


class Client:
    """Asks one endpoint. An async context manager; `journal` may be shared with other clients of the same loop.

    backoff_s: between two tries; doubles with each, up to a minute.
    """

    def __init__(self, endpoint: Endpoint, journal: Journal, limits: Limits, backoff_s: float = 1.0):
        self.endpoint, self.journal, self.tries, self.backoff_s = endpoint, journal, limits.tries, backoff_s
        key = endpoint.key()
        # Tries, and so the journal's account of them, are ours.
        self.api = openai.AsyncOpenAI(
            api_key=key or "none", base_url=endpoint.base_url, timeout=limits.timeout, max_retries=0
        )
        self.rejected: dict[str, str] = {}  # by the server; asked again by the next command
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._asked: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at = 0.0

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *exception) -> None:
        await self.api.close()

    async def ask(self, request: Request[Shape]) -> Answer[Shape]:
        """The answer, from the journal where it is there. Raises UserError where the job must stop."""
        answer = await self._reply(request)
        for _ in range(REPAIRS):
            if answer.status != "invalid":
                break
            complaint = f"This cannot be used: {answer.problem}. Answer again with the JSON object alone, complete."
            request = request.after(answer.text, complaint)
            answer = await self._reply(request)
        return answer

    def _content(self, request: Request) -> dict:
        """What the endpoint is sent, and what names the request in the journal."""
        content = {
            "model": self.endpoint.model,
            "messages": [{"role": role, "content": text} for role, text in request.messages],
            "max_completion_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            content["temperature"] = request.temperature
        if request.shape and self.endpoint.structured == "json_schema":
            schema = {"name": request.shape.__name__, "schema": request.shape.model_json_schema(), "strict": True}
            content["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.shape and self.endpoint.structured == "json_object":
            content["response_format"] = {"type": "json_object"}
        if self.endpoint.extra_body:
            content["extra_body"] = self.endpoint.extra_body
        return content

    async def _reply(self, request: Request[Shape]) -> Answer[Shape]:
        content = self._content(request)
        key = content_key({**content, "sample": request.sample})
        async with self._asked[key]:  # two who ask the same at once pay once
            if key not in self.journal.answers and key not in self.rejected:
                async with self._slots:
                    await self._pay(key, content, most_tokens(request))
        if key in self.rejected:
            return Answer("rejected", "", problem=self.rejected[key])
        return _read(self.journal.answers[key], request)

    async def _pay(self, key: str, content: dict, most: int) -> None:
        """Send until there is an answer in the journal, or the server's word that there will be none."""
        for number in range(self.tries):
            await self._wait_turn(most)
            reservation = await self._reserve(key, content, most)
            try:
                return await self._try(reservation, key, content)
            except _Again as again:
                reason = str(again)
                wait = min(60.0, self.backoff_s * 2**number) * random.uniform(0.5, 1.0)
                if again.pause is not None:
                    self._free_at = max(self._free_at, _now() + max(again.pause, wait))
            finally:
                async with self.journal.changed:
                    self.journal.changed.notify_all()
            if number + 1 < self.tries:
                await asyncio.sleep(wait)
        tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
        raise self._stop(
            f"{self._name} gave no answer in {tries} ({reason}); what it answered is kept in "
            f"{self.journal.path}: the same command goes on when it is back"
        )

    async def _wait_turn(self, tokens: int) -> None:
        """Requests leave evenly spaced, by whichever limit is the narrower."""
        while (wait := self._free_at - _now()) > 0:
            await asyncio.sleep(wait)
        limits = ((1, self.endpoint.per_minute), (tokens, self.endpoint.tokens_per_minute))
        self._free_at = _now() + max(60 * n / limit if limit else 0 for n, limit in limits)

    async def _reserve(self, key: str, content: dict, most: int) -> int:
        """Wait for room in the budget, which what is in flight may leave, and take it."""
        journal = self.journal
        async with journal.changed:
            await journal.changed.wait_for(lambda: journal.stopped or journal.fits(most) or not journal.open)
            if not journal.stopped and not journal.fits(most):
                self._stop(
                    f"the budget is spent: {journal.settled.calls} of {journal.calls} calls, "
                    f"{journal.settled.tokens} of {journal.tokens} tokens, and the next may take {most}; "
                    "the same command with more --budget-calls and --budget-tokens goes on"
                )
            if journal.stopped:
                raise journal.stopped
            return journal.reserve(key, most, content)

    async def _try(self, reservation: int, key: str, content: dict) -> None:
        """Send once and settle. Raises _Again where another try may help."""
        try:
            stream = await self.api.chat.completions.create(
                **content, stream=True, stream_options={"include_usage": True}
            )
        except openai.APIStatusError as error:
            return self._refused(reservation, key, error)
        except openai.APIConnectionError as error:
            never_left = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            self.journal.fail(reservation, key, "no connection", billed=not never_left)
            raise _Again(str(error.__cause__ or error)) from error
        try:
            answer, tokens = await _collect(stream)
        except Exception as error:  # whatever ends a stream early: the socket, the server's own error event, bad chunks
            self.journal.fail(reservation, key, "stream cut off", billed=True)
            raise _Again(f"its stream was cut off: {error}") from error
        self.journal.settle(reservation, key, answer, tokens)

    def _refused(self, reservation: int, key: str, error: openai.APIStatusError) -> None:
        """A status instead of an answer: once more, never for this request, or never for any."""
        status, message = error.status_code, mask_text(" ".join(str(error.message).split()))[:300]
        self.journal.fail(reservation, key, f"status {status}", billed=status in MAYBE_BILLED)
        if status in FATAL or getattr(error, "code", None) == "insufficient_quota":
            raise self._stop(f"{self._name} refuses: {message}")
        if status in (408, 409, 429) or status >= 500:
            raise _Again(message, _retry_after(error) if status == 429 else None) from error
        self.rejected[key] = message

    @property
    def _name(self) -> str:
        return self.endpoint.base_url or "the endpoint"

    def _stop(self, reason: str) -> UserError:
        self.journal.stopped = self.journal.stopped or UserError(reason)
        return self.journal.stopped


class _Again(Exception):
    """Another try may help; `pause`: seconds, at least, in which nobody should try; None: only this one waits."""

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


def _now() -> float:
    return asyncio.get_running_loop().time()


def _retry_after(error: openai.APIStatusError) -> float:
    try:
        return min(60.0, float(error.response.headers.get("retry-after", 0)))
    except ValueError:  # a date
        return 0.0


async def _collect(stream: AsyncIterable[Any]) -> tuple[dict, int | None]:
    """The whole answer as the journal keeps it, and the tokens that the server counted. Raises if it was cut off."""
    texts, refusals, finish, usage, model = [], [], None, None, None
    async for chunk in stream:
        model = chunk.model or model
        if chunk.usage:
            usage = chunk.usage.prompt_tokens + chunk.usage.completion_tokens
        for choice in chunk.choices:
            texts.append(choice.delta.content or "")
            refusals.append(getattr(choice.delta, "refusal", None) or "")
            finish = choice.finish_reason or finish
    if finish is None:
        raise EOFError("it ended without a finish reason")
    said, refused = mask_values("".join(texts)), mask_values("".join(refusals))
    answer = {"text": said, "refusal": refused, "finish": finish, "tokens": usage, "model": model}
    return answer, usage


def _read(raw: dict, request: Request[Shape]) -> Answer[Shape]:
    """What an answer of the journal says."""
    text = raw["text"]
    if raw["refusal"] or raw["finish"] == "content_filter":
        return Answer("refused", raw["refusal"] or text, problem="refused")
    if request.shape is None:
        return Answer("ok", text)
    try:
        return Answer("ok", text, parse(text, request.shape))
    except ValueError as error:
        cut_off = f"it was cut off after {request.max_tokens} tokens; be shorter" if raw["finish"] == "length" else ""
        return Answer("invalid", text, problem=cut_off or str(error))


async def gather(jobs: Iterable[Awaitable[Result]], total: int, what: str) -> tuple[list[Result], UserError | None]:
    """The results of the jobs that were done, and why the others were not. Nothing in flight is cancelled."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, disable=None) as bar:

        async def watched(job: Awaitable[Result]) -> Result:
            try:
                return await job
            finally:
                bar.update()

        results = await asyncio.gather(*map(watched, jobs), return_exceptions=True)
    stopped = next((result for result in results if isinstance(result, UserError)), None)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, UserError):
            raise result
    return [result for result in results if not isinstance(result, BaseException)], stopped
