"""The report as Markdown, for a pull request or a terminal: the answer, the groups, the advice, what is missing."""

from typing import Any

from openrlhf_unlearn.report.numbers import Say, show
from openrlhf_unlearn.report.palette import GROUP_NAMES


def as_markdown(numbers: dict[str, Any]) -> str:
    """`numbers`: what summary.json keeps under "report"."""
    lines = [say["text"] + "\n" for say in numbers["answer"]]
    if numbers["groups"]:
        lines += [
            "| group | prompts | share of hard | pass@1 before | pass@1 after |",
            "|---|--:|--:|--:|--:|",
            *(_row(group, row) for group, row in numbers["groups"].items()),
        ]
    if any(entry["adaptive"] for entry in numbers["evaluations"].values()):
        lines += ["", "Sampling was adaptive: rates are unbiased, not positives over samples."]
    if numbers["compare"]:
        lines += ["", "| group | run | final pass@1 | difference to the first run |", "|---|---|--:|--:|"]
        lines += [_compared(row) for row in numbers["compare"]["rows"]]
    lines += [_changed(change) for change in numbers.get("changes") or () if change["told"]]
    if remedy := numbers.get("remedy"):
        lines += ["\n" + say["text"] for say in remedy["verdicts"]]
    if (failures := numbers.get("failures")) and failures["kinds"]:
        prompts, hard = (show(number, "count") for number in (failures["prompts"], numbers["hard"]))
        some = "hard" if prompts == hard else f"{prompts} of {hard} hard"
        lines += ["", f"How the final samples of {some} prompts fail:", ""]
        lines += [_kind(kind) for kind in failures["kinds"]]
    if numbers["advice"]:
        lines += ["", *(f"- **{item['title']}.** {item['text']} {_ways(item['flag'])}" for item in numbers["advice"])]
    if numbers["missing"]:
        lines += ["", "Missing:", ""]
        lines += [f"- {item['what']}: {item['why']}\n  `{item['command']}`" for item in numbers["missing"]]
    return "\n".join(lines)


def _ways(flag: str) -> str:
    return " or ".join(f"`{way}`" for way in flag.split("\n"))


def _row(group: str, row: dict[str, Any]) -> str:
    share = with_interval(row["share_of_hard"], row["share_of_hard_interval"], "percent")
    rates = (with_interval(row[f"{when}_pass_rate"], row[f"{when}_interval"], "rate") for when in ("initial", "final"))
    return f"| {GROUP_NAMES[group]} | {show(row['prompts'], 'count')} | {share} | {' | '.join(rates)} |"


def _compared(row: dict[str, Any]) -> str:
    rate = with_interval(row["pass_rate"], row["interval"], "rate")
    difference = with_interval(row["difference"], row["difference_interval"], "signed")
    run = row["run"].replace("|", r"\|")
    return f"| {GROUP_NAMES[row['group']]} | {run} | {rate} | {difference} |"


def _changed(change: dict[str, Any]) -> str:
    counts = ", ".join(f"{show(change[kind], 'count')} {kind}" for kind in ("fixed", "broken", "unchanged", "open"))
    return f"\nPrompt by prompt, {change['run']} to the first run: {counts} (false discovery rate 5 %)."


def _kind(kind: dict[str, Any]) -> str:
    text = "{samples:count} {samples:sample|samples} of {prompts:count} {prompts:prompt|prompts}"
    return f"- {kind['name']}: {Say(text, kind, '').text}"


def with_interval(value: float | None, interval: list[float] | None, kind: str) -> str:
    if not interval:
        return show(value, kind)
    return f"{show(value, kind)} ({show(interval[0], kind)} to {show(interval[1], kind)})"
