"""`openrlhf-unlearn publish RUN --to FOLDER|hf:ORG/SPACE`: a report to share, as a folder or a static Space.

    openrlhf-unlearn publish RUN --to site/                        index.html, prompts.csv, lists/, README.md
    openrlhf-unlearn publish RUN --to hf:ORG/SPACE --private       the same as a static Space of the Hugging Face Hub
    openrlhf-unlearn publish RUN --to site/ --anonymise            without paths, names of models, data and commands
    openrlhf-unlearn publish A B --compare --to site/ --anonymise  of runs side by side
    openrlhf-unlearn publish RUN --markdown -                      the summary, for a pull request or a W&B note

The report is the one that `analyze` made, with secrets masked once more; --anonymise makes it again, offline, from a
copy without names. What looks like a key is masked in texts of prompts and models too. Those texts themselves stay:
read them before you publish. `hf:` needs `pip install huggingface_hub` and a login (`hf auth login`, or HF_TOKEN).
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError, command, one_line
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.pipeline.anonymous import anonymous_runs
from openrlhf_unlearn.report.markdown import as_markdown
from openrlhf_unlearn.report.sealing import sealed, sealed_csv
from openrlhf_unlearn.store.run_dir import RunDir, atomic_folder, atomic_path, read_json, write_json
from openrlhf_unlearn.store.summary import Summary

HOME = "https://github.com/openrlhf-unlearn/openrlhf-unlearn"
SPACE = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
RULES = ("tau", "easy", "threshold", "allow_uneven")  # options of `analyze` that its numbers depend on


@dataclass(frozen=True)
class PublishOptions(Options):
    """Which report, and where it goes."""

    runs: Sequence[str] = option(
        "a run with a report; with --anonymise --compare, all that it compares", positional=True, metavar="RUN"
    )
    to: str | None = option(
        "a new or empty folder, or a Space, which is made if it is not there", None, metavar="FOLDER|hf:ORG/SPACE"
    )
    anonymise: bool = option("leave out paths and the names of models, data sets and commands", False)
    compare: bool = option("with --anonymise: the runs are interventions, side by side", False)
    private: bool = option("hf: make the Space private, one that is there too", False)
    markdown: str | None = option("write the summary as Markdown too; - prints it", None, metavar="FILE")

    def check(self) -> None:
        if not self.to and not self.markdown:
            raise UsageError("publish needs --to FOLDER, --to hf:ORG/SPACE or --markdown FILE")
        if len(self.runs) > 1 and not self.anonymise:
            raise UsageError("several runs are for --anonymise; else name the one that has the report")
        if self.to and self.to.startswith("hf:") and not SPACE.fullmatch(self.to[3:]):
            raise UsageError(f"--to {self.to}: write hf:ORG/SPACE")


OPTIONS = PublishOptions


@dataclass(frozen=True)
class Published:
    """The summary as Markdown, and with `to` where the report is, a path or an address, and its size in bytes."""

    markdown: str
    target: str | None = None
    size: int = 0


def run(options: PublishOptions) -> None:
    made = publish(options)
    if options.markdown == "-":
        print(made.markdown)
    if made.target:
        print(f"{made.target}: {made.size / 1e6:.1f} MB; read the prompts and rollouts in it before you share it")


@takes(PublishOptions)
def publish(options: PublishOptions) -> Published:
    """Write or upload the report of the runs. Raises UserError without one, and where it cannot go."""
    runs = [RunDir.open(path) for path in options.runs]
    with tempfile.TemporaryDirectory(prefix="openrlhf-unlearn-") as scratch:
        report = _anonymised(runs, options.compare, Path(scratch)) if options.anonymise else runs[0].report.parent
        numbers = _numbers(report, runs[0])
        markdown = as_markdown(numbers)
        if options.markdown and options.markdown != "-":
            with atomic_path(Path(options.markdown)) as aside:
                aside.write_text(markdown + "\n", encoding="utf-8")
        if not options.to:
            return Published(markdown)
        site, space = Path(scratch, "site"), options.to.removeprefix("hf:")
        write_site(report, numbers, site)
        if space == options.to:
            with atomic_folder(Path(space)) as aside:
                shutil.copytree(site, aside, dirs_exist_ok=True)
        else:
            space = _upload(site, space, options.private)
        return Published(markdown, space, sum(path.stat().st_size for path in site.rglob("*") if path.is_file()))


def _anonymised(runs: list[RunDir], compare: bool, scratch: Path) -> Path:
    """The report of the runs, made again in `scratch` from copies without names; returns its folder."""
    names = anonymous_runs(runs, scratch / "runs")
    command = [sys.executable, "-m", "openrlhf_unlearn.cli", "analyze", *names, "--offline", "--figure-files"]
    command += rules(Summary.read(runs[0]).report)
    made = subprocess.run(
        [*command, "--output", "report", *(["--compare"] if compare else [])],
        cwd=scratch / "runs", capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode:
        raise UserError((made.stderr.strip().splitlines() or ["analyze failed"])[-1].partition(": ")[2])
    return scratch / "runs" / "report"


def rules(numbers: dict) -> list[str]:
    """The flags of `analyze` by which a report was made."""
    flags = {f"--{name.replace('_', '-')}": numbers.get(name) for name in RULES}
    if "allow_uneven" not in numbers:  # an earlier version kept them in its command alone
        return [word for word in shlex.split(numbers.get("command", "")) if word.partition("=")[0] in flags]
    given = {flag: value for flag, value in flags.items() if value is not None and value is not False}
    return [flag if value is True else f"{flag}={value}" for flag, value in given.items()]


def _numbers(report: Path, run: RunDir) -> dict:
    own = RunDir(report) if RunDir(report).summary.exists() else run
    numbers = Summary.read(own).report
    if not numbers or not (report / run.report.name).exists():
        raise UserError(f"{run} has no report; make it: {command('analyze', run)}")
    return numbers


def follows_training(page: str, numbers: dict) -> bool:
    return bool(numbers["live"]) if "live" in numbers else 'id="pause"' in page  # earlier versions' do not say


def write_site(report: Path, numbers: dict, site: Path) -> None:
    """index.html, prompts.csv, lists/ and a README.md that makes the folder a static Space."""
    (site / "lists").mkdir(parents=True)
    table, lists = report / "prompts.csv", sorted((report / "lists").glob("*.json"))
    page_file = report / RunDir(report).report.name
    for path in (page_file, table, *lists):
        if path.is_symlink() or (path.parent.is_symlink() and path.parent != report):  # to any file of the user's
            raise UserError(f"{path} is a link, or in one, and would publish what it leads to; make the report again")
    page = page_file.read_text(encoding="utf-8")
    if follows_training(page, numbers):
        raise UserError("the report follows training; make one that stays: openrlhf-unlearn analyze RUN --offline")
    (site / "index.html").write_text(sealed(page), encoding="utf-8")
    for path in lists:
        write_json(site / path.relative_to(report), read_json(path))
    if table.is_file():
        text = table.read_bytes().decode("utf-8", "replace")  # with its line ends
        (site / table.name).write_bytes(sealed_csv(text).encode())
    front = "---\ntitle: What a run learned, and what it did not\nsdk: static\npinned: false\n---\n\n"
    made = f"\n\n*Made by [openrlhf-unlearn]({HOME}); the page is `index.html`.*\n"
    (site / "README.md").write_text(front + as_markdown(numbers) + made, encoding="utf-8")


def _upload(site: Path, name: str, private: bool) -> str:
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise UserError("--to hf: needs the package huggingface_hub: pip install huggingface_hub") from None
    api = HfApi()
    try:
        # None, not False: an organization may have its Spaces private unless asked otherwise
        api.create_repo(name, repo_type="space", space_sdk="static", private=private or None, exist_ok=True)
        if private:  # one that was there already may be public
            api.update_repo_settings(name, repo_type="space", private=True)
        api.upload_folder(
            repo_id=name,
            repo_type="space",
            folder_path=site,
            delete_patterns="lists/*.json",  # of an earlier report
            commit_message="Learnability report",
        )
    except Exception as error:  # of many kinds: no network, no login, no right to write there
        why = one_line(UserError(str(error) or type(error).__name__))
        raise UserError(f"{name} was not published: {why}; is there a network, and `hf auth login` done?") from None
    return f"{api.endpoint}/spaces/{name}"
