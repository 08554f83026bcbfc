"""run.json: what makes a run this run. One type reads it and writes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openrlhf_unlearn.store.files import Json, read_object, write_json
from openrlhf_unlearn.store.kinds import FLAG, NUMBER, OBJECT, TEXT, WHOLE, check_kinds

SCHEMA_VERSION = 1
_TEXTS = ("command", "created", "data", "model", "recorded", "reward_function", "run_id", "started")
_SECTIONS = ("actor", "ckpt", "data", "reward", "rollout", "train", "unlearn")  # of the host's flags, those read here
_KINDS = {
    **dict.fromkeys(_TEXTS, TEXT),
    "seed": WHOLE,
    **dict.fromkeys(("args", "versions", "positive"), OBJECT),
    **{f"args.{name}": OBJECT for name in _SECTIONS},
    "positive.threshold": NUMBER,
    "positive.given": FLAG,
}
_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # of a version, to the values of the next one


@dataclass(frozen=True)
class RunConfig:
    """`values`: as the file has them. What a run does not say is None, and what it may leave out is empty."""

    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, **values: Any) -> "RunConfig":
        """Of a run that begins now."""
        return cls({"schema_version": SCHEMA_VERSION, **values})

    @classmethod
    def read(cls, path: Path) -> "RunConfig":
        """Raises UserError where the file, or a value in it, is not what it should be."""
        values = read_object(path)
        while isinstance(version := values.get("schema_version"), int) and (migrate := _MIGRATIONS.get(version)):
            values = migrate(values)
        check_kinds(path, values, _KINDS)
        return cls(values)

    def write(self, path: Path) -> None:
        write_json(path, self.values)

    def changed(self, **values: Any) -> "RunConfig":
        return RunConfig({**self.values, **values})

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def schema_version(self) -> int | None:
        return self.values.get("schema_version")

    @property
    def run_id(self) -> str | None:
        """The same over all resumes."""
        return self.values.get("run_id")

    @property
    def created(self) -> str | None:
        return self.values.get("created")

    @property
    def started(self) -> str | None:
        """When it was launched last."""
        return self.values.get("started")

    @property
    def command(self) -> str:
        """The launch; "" of a run that was imported."""
        return self.values.get("command") or ""

    @property
    def seed(self) -> int | None:
        return self.values.get("seed")

    @property
    def model(self) -> str | None:
        """What training started from, by its path or hub id."""
        return self.values.get("model")

    @property
    def data(self) -> str | None:
        return self.values.get("data")

    @property
    def versions(self) -> dict[str, str]:
        return self.values.get("versions") or {}

    @property
    def args(self) -> dict[str, Any]:
        """The host's configuration, nested as its flags are; of others what they know of it."""
        return self.values.get("args") or {}

    @property
    def reward_function(self) -> str | None:
        """A digest of its file."""
        return self.values.get("reward_function")

    @property
    def recorded(self) -> str | None:
        """Where the demo's run is from."""
        return self.values.get("recorded")

    @property
    def says_positive(self) -> bool:
        """Whether it says which rollouts are positive; runs of earlier versions do not."""
        return "positive" in self.values

    @property
    def threshold(self) -> float | None:
        """The score, or else the reward, above which a rollout is positive."""
        return self._positive.get("threshold")

    @property
    def threshold_given(self) -> bool:
        """Whether a user gave the threshold, or training had it, rather than that rewards of two values need none."""
        return self._positive.get("given", True)

    @property
    def _positive(self) -> dict[str, Any]:
        return self.values.get("positive") or {}

    def flag(self, name: str, default: Any = None) -> Any:
        """The value of the host's flag (`actor.model_name_or_path`); `default` where it is null or not known."""
        value: Json = self.args
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    @property
    def initial_model(self) -> str | None:
        """The flag's, else `model`."""
        return self.flag("actor.model_name_or_path") or self.model
