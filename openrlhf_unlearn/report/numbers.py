"""Numbers that know where they stand in summary.json, and sentences made of them.

The page shows no number that is not in the summary: a `Number` carries its raw value and its place there, and as HTML
it is `<data value="0.1234" data-key="groups.learnable.share">12 %</data>`. A `Say` is a sentence with numbers in it; it
is plain text for the terminal and Markdown, HTML for the page.

    say = Say("{n:count} {n:prompt|prompts}, {share:percent} hard", {"n": 320, "share": 0.7}, "answer.0")
    say.text    # 320 prompts, 70 % hard
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

DASH = "–"
Sentence = tuple[str, dict[str, Any]]  # a template and its numbers, from which a Say is made


def _percent(value: float) -> str:
    if 0.995 <= value < 1:
        return ">99 %"  # never certain by rounding
    return f"{100 * value:.0f} %" if abs(value) >= 0.0995 or value == 0 else f"{100 * value:.1f} %"


def _hours(value: float) -> str:
    if value >= 1:
        return f"{value:,.1f} h"
    return f"{60 * value:.0f} min" if value >= 1 / 60 else f"{3600 * value:.0f} s"


FORMATS: dict[str, Callable[[Any], str]] = {
    "count": lambda value: f"{value:,}",
    "percent": _percent,
    "rate": lambda value: f"{value:.3f}",
    "signed": lambda value: f"{value:+.3f}",
    "plain": lambda value: f"{value:g}",
    "small": lambda value: f"{value:.2g}" if abs(value) < 99.5 else f"{value:,.0f}",
    "hours": _hours,
}


def show(value: Any, kind: str = "plain") -> str:
    """A number as people read it; a dash where there is none. Text is shown as it is. `prompt|prompts` is the word."""
    if "|" in kind:
        return kind.split("|")[int(value != 1)]
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    return value if isinstance(value, str) else FORMATS[kind](value).replace("-", "−")


@dataclass(frozen=True)
class Number:
    """One value of the summary, or a name that a user gave; `key` is its place in the summary's "report"."""

    value: float | int | str | None
    key: str

    def __format__(self, kind: str) -> str:
        return show(self.value, kind or "plain")

    def __html_format__(self, kind: str) -> Markup:
        kind = kind or "plain"
        if "|" in kind:
            return Markup(show(self.value, kind))  # a word of the template, escaped with it
        text = escape(show(self.value, kind))
        if isinstance(self.value, str):
            return Markup(f'<span class="given">{text}</span>')
        value = "" if self.value is None else repr(self.value)
        return Markup(f'<data value="{value}" data-key="{escape(self.key)}" data-kind="{kind}">{text}</data>')


@dataclass(frozen=True)
class Say:
    """A sentence of ours: `template` holds {name:kind} fields and `code` in backticks, `key` its summary place."""

    template: str
    numbers: dict[str, Any]
    key: str

    def _fields(self) -> dict[str, Number]:
        return {name: Number(value, f"{self.key}.numbers.{name}") for name, value in self.numbers.items()}

    @property
    def text(self) -> str:
        return self.template.format(**self._fields())

    def __html__(self) -> Markup:
        html = re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(self.template)))
        return Markup(html).format(**self._fields())

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "numbers": self.numbers}


def look_up(report: dict[str, Any], key: str) -> Any:
    """The value at `groups.learnable.share` of a summary's "report"; a whole number indexes a list.

    A name may hold dots itself (an evaluation v1.5): the longest name that is there is meant.
    """
    value: Any = report
    parts = key.split(".")
    while parts:
        if isinstance(value, list):
            value = value[int(parts.pop(0))]
            continue
        names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        name = next((name for name in names if name in value), key)
        value, parts = value[name], parts[name.count(".") + 1 :]
    return value
