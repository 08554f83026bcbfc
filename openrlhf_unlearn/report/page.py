"""The report's page: numbers of summary.json in, one self-contained HTML file out."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_MEANINGS, GROUP_NAMES
from openrlhf_unlearn.run_dir import atomic_path


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def answer(report: dict) -> list[str]:
    """What the run did not learn, in three sentences with their numbers."""
    counts = {row["group"]: row["prompts"] for row in report["groups"]}
    total, hard = report["prompts"], report["hard"]
    if not hard:
        return [f"All {total} prompts are easy for the initial policy: there was nothing hard to learn."]
    sentences = [
        f"Of {total} prompts {hard} were hard (pass@1 below {report['easy']} before training): "
        f"{counts.get('learnable', 0)} were learned, {counts.get('unlearnable', 0)} were not although correct rollouts "
        f"were rewarded, {counts.get('no_reward', 0)} never had a correct rollout."
    ]
    if counts.get("mixed"):
        sentences.append(f"On {counts['mixed']} prompts the runs disagree.")
    if counts.get("ungradable"):
        sentences.append(f"{counts['ungradable']} prompts have a label that cannot be graded and count nowhere.")
    idle = counts.get("unlearnable", 0) + counts.get("no_reward", 0)
    sentences.append(
        f"{percent(idle / total)} of the prompts taught this policy nothing; leave them out with "
        "--unlearn.skip_prompts, or give them other data first."
    )
    return sentences


def table_rows(report: dict) -> list[dict]:
    return [
        {
            "name": GROUP_NAMES[row["group"]],
            "colour": GROUP_COLOURS[row["group"]],
            "meaning": GROUP_MEANINGS[row["group"]],
            "prompts": row["prompts"],
            "share": percent(row["share_of_hard"]),
            "initial": rate(row["initial_pass_rate"]),
            "final": rate(row["final_pass_rate"]),
        }
        for row in report["groups"]
    ]


def write_page(path: Path, report: dict, curves_svg: str | None, config: dict) -> None:
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    versions = ", ".join(f"{name} {version}" for name, version in config.get("versions", {}).items())
    html = environment.get_template("template.html").render(
        title=f"{path.parent.parent.name}: learned and unlearned",
        run=str(path.parent.parent),
        model=config.get("model", "unknown model"),
        data=config.get("data", "unknown data"),
        answer=answer(report),
        groups=table_rows(report),
        curves=Markup(curves_svg) if curves_svg else None,  # drawn by us, with no text of the model in it
        missing=report["missing"],
        easy=report["easy"],
        tau=report["tau"],
        command=report["command"],
        versions=versions,
    )
    with atomic_path(path) as aside:
        aside.write_text(html, encoding="utf-8")
