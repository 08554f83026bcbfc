r"""Holds the paper's claims against the miniature (arXiv 2605.16787): the page that miniature.sh ends with.

    python examples/paper/miniature_claims.py miniature --to docs/miniature.md

Each claim names one number, read from the run directories, and the range in which it would be true. The verdict is a
rule and nothing else: `agree` if the number's whole 95 % interval lies in the range, `disagree` if all of it lies
outside, else `cannot say`. Ranges are the paper's own threshold (tau = 0.1), or 0 for a difference, with three of our
choice: 0.9 for a correlation, 0.5 to 2 for a ratio, 0.1 for a cosine. They were fixed before the page
was first made, those of cosines (5.1, A.3) after a look at one run's.
Intervals are over prompts: they cover the choice of prompts, not of worlds or of training seeds.
"""

import argparse
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import miniature_numbers as of
from miniature_numbers import Miniature, Number, cosine_gap, final, minus

from openrlhf_unlearn.microworld.agreement import agreement
from openrlhf_unlearn.run_dir import atomic_path

TAU = 0.1
STEPS = ("runs", "hypotheses", "k64", "probe", "reasoning", "augment", "sft", "curriculum", "models")
NOT_RUN, AGREE, DISAGREE, CANNOT_SAY = "not run", "agree", "disagree", "cannot say"


@dataclass(frozen=True)
class Claim:
    """`place` in the paper, what it `says`, which `step` shows it, and `what` the number is that must lie in
    (`above`, `below`). `caveat`: what is different here and could be why it does not agree."""

    place: str
    says: str
    step: str
    what: str
    number: Callable[["Miniature"], Number]
    above: float = -math.inf
    below: float = math.inf
    figure: str = ""
    caveat: str = ""

    @property
    def range(self) -> str:
        bounds = [f"above {self.above:g}"] * math.isfinite(self.above) + [f"below {self.below:g}"] * math.isfinite(
            self.below
        )
        return ", ".join(bounds)

    def verdict(self, number: Number) -> str:
        if self.above < number.low and number.high < self.below:
            return AGREE
        return DISAGREE if number.high <= self.above or number.low >= self.below else CANNOT_SAY


PASS = "final pass@1 of the unlearnable"
COSINE = "mean cosine to all other prompts"
MEMORY = "A model this small learns some of 96 prompts by heart; a real one reads its prompts too seldom for that."
CLAIMS = (
    Claim(
        "3, Table 1",
        "A good part of the hard prompts is rewarded and stays unlearnable in every run",
        "runs",
        "share of the hard prompts",
        of.hard_share,
        above=TAU,
        figure="runs-change",
        caveat="The groups are planted here, so the share is this world's, and shows only that they are found.",
    ),
    Claim(
        "3, Figure 1b",
        "The learnable gain reward over training",
        "runs",
        "their reward in the last tenth of the steps less that in the first",
        lambda mini: of.reward_rise(mini, "learnable"),
        above=0,
        figure="runs-reward_by_group",
    ),
    Claim(
        "3, Figure 1b",
        "The unlearnable stay where they were",
        "runs",
        "their reward in the last tenth of the steps",
        lambda mini: of.late_reward(mini, "unlearnable"),
        below=TAU,
        figure="runs-reward_by_group",
    ),
    Claim(
        "4.1, Figure 2",
        "More positives (oversampling, replay) do not teach the unlearnable",
        "hypotheses",
        PASS,
        final("hypotheses", "oversample_replay"),
        below=TAU,
        figure="hypotheses-compared_rewards",
        caveat=MEMORY,
    ),
    Claim(
        "4.1, Figure 2",
        "They slow the learnable down",
        "hypotheses",
        "the learnable's reward over all of training, less the baseline's",
        of.replay_slows,
        below=0,
        figure="hypotheses-compared_rewards",
        caveat="One correct answer in eight is more than these prompts have at the start, not less: 4 %.",
    ),
    Claim(
        "4.2, Figure 4",
        "Looser clipping does not teach them",
        "hypotheses",
        PASS,
        final("hypotheses", "clip_higher"),
        below=TAU,
        figure="hypotheses-compared_rewards",
        caveat=MEMORY,
    ),
    Claim(
        "4.2, Figure 4",
        "The unlearnable's correct rollouts are clipped no more and no less than the learnable's",
        "hypotheses",
        "clipped tokens of their correct rollouts, as a multiple of the learnable's; within a factor of two",
        of.clip_ratio,
        above=0.5,
        below=2,
        figure="hypotheses-clipping",
        caveat="A group that does not move is clipped less, not more. The paper concludes that clipping does not hold "
        "them back, and that is all the truer here.",
    ),
    Claim(
        "4.3, Figure 5",
        "Nor does leaving the KL penalty out",
        "hypotheses",
        PASS,
        final("hypotheses", "no_kl"),
        below=TAU,
        figure="hypotheses-compared_rewards",
        caveat=MEMORY,
    ),
    Claim(
        "A.2, Figure 15b",
        "Nor does training on them alone with 64 rollouts each",
        "k64",
        PASS,
        final("k64"),
        below=TAU,
        figure="k64-compared_rewards",
        caveat=MEMORY,
    ),
    Claim(
        "A.2, Figure 15a",
        "Fine-tuning on right responses does not close the gap",
        "sft",
        "pass@1 of the learnable less that of the unlearnable, at the last checkpoint",
        of.sft_gap,
        above=0,
        figure="sft-pass_rates",
    ),
    Claim(
        "5.1, Figures 1c, 6",
        "The unlearnable are gradient outliers before training",
        "probe",
        f"{COSINE}, the learnable's less theirs",
        cosine_gap("initial"),
        above=0,
        figure="probe-similarity",
    ),
    Claim(
        "5.1, Figures 1c, 6",
        "The same, without the noise of few rollouts (our correction)",
        "probe",
        f"{COSINE}, corrected, the learnable's less theirs",
        of.corrected_gap,
        above=0,
        figure="probe-similarity_groups",
    ),
    Claim(
        "5.1",
        "Gradients of a random LoRA adapter stand for those of all parameters",
        "probe",
        f"correlation over prompts of the {COSINE}",
        of.against_full,
        above=0.9,
    ),
    Claim(
        "A.3, Figure 16",
        "Their correct and incorrect rollouts do not interfere more than the learnable's",
        "probe",
        "cosine of a prompt's correct with its incorrect rollouts, theirs less the learnable's",
        of.interference,
        below=TAU,
        figure="probe-interference",
        caveat="Wrong answers are nearly all lazy here and right ones are not: the two oppose each other in the "
        "learnable by design. Lucky and unlucky guesses of the unlearnable look alike, so their cosine is nearer to 0.",
    ),
    Claim(
        "A.4, Figure 17",
        "They stay outliers over training",
        "probe",
        f"{COSINE} after training, the learnable's less theirs",
        cosine_gap("final"),
        above=0,
        figure="probe-similarity_over_training",
    ),
    Claim(
        "5.2, Figures 1d, 7",
        "Their correct rollouts are reasoned worse",
        "reasoning",
        "quality from 0 to 5 before training, the learnable's less theirs",
        lambda mini: minus(of.reasoning(mini, "learnable", "initial"), of.reasoning(mini, "unlearnable", "initial")),
        above=0,
        figure="reasoning-reasoning",
        caveat="The judge is the world's rule: a number that no running sum leads to can earn 2 at most.",
    ),
    Claim(
        "5.2, Figure 7",
        "Training widens that gap",
        "reasoning",
        "quality after training less before, the learnable's less theirs",
        lambda mini: minus(
            *(
                minus(of.reasoning(mini, group, "final"), of.reasoning(mini, group, "initial"))
                for group in ("learnable", "unlearnable")
            )
        ),
        above=0,
        figure="reasoning-reasoning",
        caveat="Correct answers of the learnable are full ones from the start: there is little left to gain.",
    ),
    Claim(
        "5.3, Figures 8, 14",
        "Similar problems are learned themselves",
        "augment",
        "their final pass@1",
        of.similar_learned,
        above=TAU,
        figure="augment-augmentation",
        caveat="Similar problems here are of the same letter, so nobody can work them out either. The paper's are "
        "written by a strong model, which may well make them easier than the original.",
    ),
    Claim(
        "5.3, Figures 8, 14",
        "The originals stay unlearnable beside them",
        "augment",
        PASS,
        final("augment"),
        below=TAU,
        figure="augment-augmentation",
        caveat=MEMORY,
    ),
    Claim(
        "5.3, Figure 10",
        "Similar problems hardly pull where their original does",
        "augment",
        "cosine of an original with its similar problems, less that with all other prompts",
        of.variant_pull,
        below=TAU,
        figure="augment-variants",
        caveat="Similar problems share the original's letter, and with it the same guess.",
    ),
    Claim(
        "A.5, Figure 18",
        "A curriculum does not carry over to them",
        "curriculum",
        "final pass@1 of the unlearnable after both stages",
        final("curriculum", "stage2"),
        below=TAU,
        figure="curriculum-compared_stages",
        caveat=MEMORY,
    ),
    Claim(
        "5.4, Figure 11",
        "On a mid-trained base, the learnable lie nearer to the others",
        "models",
        f"{COSINE}, on the mid-trained model less on the base",
        of.mid_rise("learnable"),
        above=0,
        figure="models-similarity_over_models",
    ),
    Claim(
        "5.4, Figure 11",
        "On a mid-trained base, the unlearnable lie nearer to the others",
        "models",
        f"{COSINE}, on the mid-trained model less on the base",
        of.mid_rise("unlearnable"),
        above=0,
        figure="models-similarity_over_models",
        caveat="Mid-training here shows how the learnable letters are worked out. Nothing can show that of the others.",
    ),
)


# The page ------------------------------------------------------------------------------------------------------------


def results(mini: Miniature) -> list[tuple[Claim, Number | None, str]]:
    """Each claim with its number and verdict; without a number where its step was not run."""
    found = []
    for claim in CLAIMS:
        number = claim.number(mini) if mini.minutes(claim.step) is not None else None
        found.append((claim, number, claim.verdict(number) if number else NOT_RUN))
    return found


def page(mini: Miniature, figures: Path) -> str:
    """The page's Markdown; `figures` is the folder of the pictures, beside the page."""
    found = results(mini)
    counts = Counter(verdict for *_, verdict in found)
    told = ", ".join(f"{counts[name]} {name}" for name in (AGREE, DISAGREE, CANNOT_SAY, NOT_RUN) if counts[name])
    lines = [
        "# The paper in miniature",
        "",
        f"Of {len(found)} claims of arXiv 2605.16787: **{told}**. Made by `bash examples/paper/miniature.sh` on the "
        "built-in world, on a CPU: the numbers are read from its runs. `examples/paper/miniature_claims.py` "
        "holds every claim, `miniature_numbers.py` how its number is read. The rule was fixed before the first page, "
        "though the claims about cosines (5.1, A.3) after a look at one run's:",
        "",
        "> *agree* if the number's whole 95 % interval lies in the range that the claim means, *disagree* if all of it "
        "lies outside, else *cannot say*.",
        "",
        "Ranges are the paper's threshold τ = 0.1, or 0 for a difference; ours are 0.9 for a correlation, 0.5 to 2 for "
        "a ratio, 0.1 for a cosine. Intervals are over prompts: they cover the choice of "
        "prompts, not of worlds or training seeds. Groups are those that three trainings agree on, as in the "
        "paper. A 0.45 M-parameter model and 320 prompts show that the measurements work and what the claims mean, "
        "not that they are true of a language model.",
        "",
        "| paper | claim | number | here (95 % interval) | range | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim, number, verdict in found:
        shown = f"[{verdict}]({figures.name}/{claim.figure}.svg)" if has_figure(claim, figures) else verdict
        cells = (claim.place, claim.says, claim.what, str(number or "–"), claim.range, shown)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "A verdict links to its figure."]
    doubts = [(claim, verdict) for claim, _, verdict in found if verdict in (DISAGREE, CANNOT_SAY)]
    if doubts:
        lines += ["", "## Why not", ""]
        lines += [f"- **{c.says}** ({verdict}). {c.caveat or 'We know no reason.'}" for c, verdict in doubts]
    lines += ["", *truth(mini), *minutes(mini), *NOT_HERE]
    return "\n".join(lines) + "\n"


def has_figure(claim: Claim, figures: Path) -> bool:
    return bool(claim.figure) and (figures / f"{claim.figure}.svg").exists()


def truth(mini: Miniature) -> list[str]:
    path = mini.folder / "world" / "truth.parquet"
    if mini.minutes("runs") is None or not path.exists():
        return []
    said = agreement(path, mini.runs[0].learnability).lines()
    return ["## Found against planted groups", "", "```", *said, "```", ""]


def minutes(mini: Miniature) -> list[str]:
    lines = ["## Minutes", "", "| step | minutes |", "| --- | --- |"]
    taken = {step: mini.minutes(step) for step in STEPS}
    lines += [f"| {step} | {'not run' if t is None else f'{t:.0f}'} |" for step, t in taken.items()]
    return [*lines, f"| all | {sum(t or 0 for t in taken.values()):.0f} |", "", "Of the last attempt at each step.", ""]


NOT_HERE = (
    "## What is not here",
    "",
    "- Sub-problems (5.3): a prompt of this world has no smaller prompts that make it up.",
    "- Other models and data (Table 1): `examples/paper/` has them for GPUs.",
    "- A fine-tuned model after `sft-40`: the last point of that figure, `final`, is the first run's model after RL.",
    "- The stronger model and the judge are the world's own rule (`examples/paper/world_teacher.py`), not a model.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="folder of miniature.sh")
    parser.add_argument("--to", type=Path, help="the page; default: FOLDER/miniature.md. Pictures go beside it")
    args = parser.parse_args()
    mini, path = Miniature(args.folder), args.to or args.folder / "miniature.md"
    figures = path.with_suffix("")
    if (args.folder / "figures").is_dir():
        shutil.copytree(args.folder / "figures", figures, dirs_exist_ok=True)
    with atomic_path(path) as aside:
        aside.write_text(page(mini, figures), encoding="utf-8")
    print(f"{path}: " + ", ".join(f"{n} {verdict}" for verdict, n in Counter(v for *_, v in results(mini)).items()))


if __name__ == "__main__":
    main()
