"""The report's page: one self-contained HTML file, rendered from the report's numbers, drawings and packed data.

Nothing in it is fetched: styles, scripts, figures, fonts and data are inside, and its content security policy forbids
every request and every script that is not ours. Text of users and models is escaped here (Jinja2) or set as text by the
page's script.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from openrlhf_unlearn.causes.words import NAMES
from openrlhf_unlearn.labels.posterior import DELTA
from openrlhf_unlearn.report.browser import pack
from openrlhf_unlearn.report.build import Report
from openrlhf_unlearn.report.changes import KINDS
from openrlhf_unlearn.report.decisions import DECISIONS
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Number, look_up
from openrlhf_unlearn.report.palette import DARK, GROUP_COLOURS, GROUP_MEANINGS, GROUP_NAMES
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.spreadsheet import write_rows

HERE = Path(__file__).parent
# One script, in this order: each file uses what stands above it.
SCRIPTS = ["text", "state", "corpus", "decisions", "filters", "table", "curve", "rollouts", "prompt", "main"]
MATH = re.compile(r"\\(?:boxed|frac|sqrt|begin|\(|\[)|\$[^$\n]+\$")


def page(report: Report, material: Material, drawings: dict[str, str], files: Sequence[str]) -> str:
    """drawings: figure → its SVG; files: suffixes of what lies beside the page of each."""
    numbers = report.numbers
    math = has_math(report)
    scripts = [f"/*!\n{_read('vendor/KATEX-LICENSE.txt')}*/\n{_read('vendor/katex.min.js')}"] if math else []
    scripts.append("\n".join(_read(f"static/{name}.js") for name in SCRIPTS))
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["ending"] = ending
    return environment.get_template("page.html").render(
        r=numbers,
        n=lambda key, kind="plain": Markup(Number(look_up(numbers, key), key).__html_format__(kind)),
        says={"answer": report.answer, "advice": report.advice, "remedy": report.remedy},
        captions={one.figure.name: one.caption for one in report.figures.shown},
        drawings={name: Markup(svg) for name, svg in drawings.items()},
        csv={name: _csv_link(entry["data"]) for name, entry in numbers["figures"].items()},
        figures=[one.figure for one in report.figures.shown],
        undrawn=report.figures.undrawn,
        groups=[name for name in GROUPS if name in numbers["groups"]],
        names=GROUP_NAMES,
        meanings=GROUP_MEANINGS,
        title=title(material),
        model=str(material.config.model or "unknown model"),
        data=str(material.config.data or "unknown data"),
        seed=material.config.seed,
        versions=material.config.versions,
        training_command=material.config.command,
        files=files,
        styles=Markup(_styles(math)),
        scripts=[Markup(script) for script in scripts],
        policy=policy(scripts),
        settings=Markup(_embedded(_settings(report, material, math))),
        table=pack(report.table),
        details=Markup(_embedded(report.details)),
    )


def title(material: Material) -> str:
    return ending(str(material.first.path.resolve()))


def ending(path: str) -> str:
    """What tells a path to its reader: the last two parts."""
    return "/".join(Path(path).parts[-2:])


def has_math(report: Report) -> bool:
    """Does any prompt or rollout hold TeX? Only then the page carries KaTeX."""
    texts = (rollout.response for rollouts in report.rollouts.values() for rollout in rollouts)
    return any(map(MATH.search, texts)) or any(map(MATH.search, report.table["text"]))


def policy(scripts: list[str]) -> str:
    """A content security policy that lets only these scripts run and nothing be fetched."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; font-src data:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _styles(math: bool) -> str:
    light = "".join(f"--g-{group}:{colour};" for group, colour in GROUP_COLOURS.items())
    light += "".join(f"--c{colour[1:].lower()}:{colour};" for colour in DARK)
    dark = "".join(f"--g-{group}:{DARK.get(colour, colour)};" for group, colour in GROUP_COLOURS.items())
    dark += "".join(f"--c{colour[1:].lower()}:{tint};" for colour, tint in DARK.items())
    rules = _read("static/style.css").replace("/*light*/", light).replace("/*dark*/", dark)
    return rules + (_read("vendor/katex.min.css") if math else "")


def _embedded(value: Any) -> str:
    """JSON that can stand in a script element: no text in it can end the element or open a comment."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _settings(report: Report, material: Material, math: bool) -> dict[str, Any]:
    """What the page's script needs besides its data."""
    rollouts = [rollout for some in report.rollouts.values() for rollout in some]
    ids = "\n".join(report.table["id"]).encode("utf-8", "replace")
    return {
        "groups": [{"key": group, "name": GROUP_NAMES[group]} for group in GROUPS],
        "runs": report.numbers["runs"],
        "compared": report.numbers["compare"]["runs"] if report.numbers["compare"] else [],
        "changes": list(KINDS),
        "failures": [kind["name"] for kind in (report.numbers["failures"] or {"kinds": []})["kinds"]],
        "verdicts": sorted({rollout.verdict for rollout in rollouts if rollout.verdict}),
        "sources": sorted({rollout.source for rollout in rollouts}, key=_source_order),
        "decisions": DECISIONS,
        "key": hashlib.blake2b(ids, digest_size=8).hexdigest(),  # what is kept in the browser is of these prompts
        "live": report.numbers["live"],
        "math": math,
        "causes": NAMES,
        "tau": material.tau,
        "improved_by": DELTA,
    }


def _source_order(source: str) -> tuple[bool, int, str]:
    """Evaluations by name, then training by its steps."""
    step = source.removeprefix("step ")
    return (step != source, int(step) if step != source and step.isdigit() else 0, source)


def _csv_link(data: dict[str, list[Any]]) -> str:
    """A figure's data as a link that the page carries itself."""
    lines = io.StringIO()
    write_rows(lines, [tuple(data), *zip(*data.values(), strict=True)])
    return "data:text/csv;base64," + base64.b64encode(lines.getvalue().encode()).decode()
