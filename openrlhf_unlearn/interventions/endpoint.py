"""The options of every verb that asks an endpoint: where to ask, and what a job may spend."""

import json
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.masking import mask_text, remember, remember_all
from openrlhf_unlearn.options import Options, nested, option


@dataclass(frozen=True)
class Endpoint(Options):
    """Where to ask, and how hard. `per_minute` and `tokens_per_minute` 0: no limit but `concurrency`."""

    model: str | None = option("the model's name there", None, metavar="NAME")
    base_url: str | None = option("such as http://localhost:8000/v1; default: OpenAI's own", None, metavar="URL")
    api_key_env: str = option("the variable that holds the key", "OPENAI_API_KEY", metavar="VAR")
    temperature: float | None = option("default: the endpoint's", None)
    max_answer_tokens: int = option("of one answer, its thinking included", 8192)
    concurrency: int = option("requests in flight at most", 16)
    per_minute: float = option("requests a minute at most; 0: no limit", 0)
    tokens_per_minute: float = option("tokens a minute at most; 0: no limit", 0)
    structured: str = option(
        "how the shape of an answer is asked for; what the server knows",
        "json_schema",
        choices=["json_schema", "json_object", "none"],
    )
    extra_body: dict | None = option("further fields of each request", None, type=json.loads, metavar="JSON")

    def check_named(self, prefix: str = "") -> None:
        """Raise UsageError without a model."""
        if not self.model:
            raise UsageError(f"give --{prefix}model, the name of the model at the endpoint")

    def key(self) -> str | None:
        """The key in the environment. Raises UserError where there is none, and no server that may do without."""
        key = os.environ.get(self.api_key_env)
        remember(key)  # whatever its variable is called; an endpoint may repeat it, and what else it is sent
        remember_all([self.base_url, self.extra_body])
        if not key and not self.base_url:
            raise UserError(f"no endpoint: give --base-url, or {self.api_key_env} in the environment")
        if self.base_url and not _is_http(self.base_url):
            raise UsageError(f"--base-url {mask_text(self.base_url)}: no address such as http://localhost:8000/v1")
        return key


@dataclass(frozen=True)
class Limits(Options):
    """What a job may spend, and how long it tries."""

    budget_calls: int | None = option(
        "answers paid for at most; default: what the job needs, beyond what is spent", None
    )
    budget_tokens: int | None = option("of prompts and answers together at most; default: what the job needs", None)
    timeout: float = option("seconds without a sign of the server", 120)
    tries: int = option("of one request, before the job stops and can be taken up again", 8)
    plan: bool = option("say what it would take, and stop", False)


LIMITS: Limits = nested("the budget, of all endpoints and of earlier tries of the same job", Limits())


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
