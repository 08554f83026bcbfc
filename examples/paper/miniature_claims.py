r"""Holds the paper's claims against the miniature (arXiv 2605.16787): the page that miniature.sh ends with.

    python examples/paper/miniature_claims.py miniature --to docs/miniature.md

Each claim names one number, read from the run directories, and the range in which it would be true. The verdict is a
rule and nothing else: `agree` if the number's whole 95 % interval lies in the range, `disagree` if all of it lies
outside, else `cannot say`; so too if it has no interval, as the mean of equal values has none. Ranges are the paper's
own threshold (tau = 0.1), or 0 for a difference, with three of our choice: 0.9 for a correlation, 0.5 to 2 for a ratio,
0.1 for a cosine. They were fixed before the page was first made, those of cosines (5.1, A.3) after a look at one run of
an earlier world; all before this world was first run. A claim that the world's construction or the groups' definition
settles is shown and not counted. Intervals are over prompts: they cover the choice of prompts, not of worlds or of
training seeds.
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

from openrlhf_unlearn.store.run_dir import atomic_path
from openrlhf_unlearn.worlds.agreement import agreement

TAU = 0.1
STEPS = ("runs", "hypotheses", "k64", "probe", "reasoning", "augment", "sft", "curriculum", "models", "heldout")
SHOWN = ("known", "learnable", "beyond", "random")
NOT_RUN, AGREE, DISAGREE, CANNOT_SAY = "not run", "agree", "disagree", "cannot say"


@dataclass(frozen=True)
class Claim:
    """`place` in the paper, what it `says`, which `step` shows it, and `what` the number is that must lie in
    (`above`, `below`). `caveat`: what is different here and could be why it does not agree. `construction`: why the
    verdict was settled before anything ran; such a claim does not count."""

    place: str
    says: str
    step: str
    what: str
    number: Callable[["Miniature"], Number]
    above: float = -math.inf
    below: float = math.inf
    figure: str = ""
    caveat: str = ""
    construction: str = ""

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
NO_RULE = "Nothing but memory could teach a prompt whose label follows no rule that the model can work out."
BY_DEFINITION = "The group is those prompts whose final pass@1 is on that side of the threshold."
JUDGED = "The judge is the world's rule, and a lucky answer is worked out as well as an unlucky one."
SIMILAR = "Similar problems are of the same letter, so nobody can work them out either."
CLAIMS = (
    Claim(
        "3, Table 1",
        "A good part of the hard prompts is rewarded and stays unlearnable in every run",
        "runs",
        "share of the hard prompts",
        of.hard_share,
        above=TAU,
        figure="runs-change",
        construction="The groups are planted, so the share is this world's.",
    ),
    Claim(
        "3, Figure 1b",
        "The learnable gain reward over training",
        "runs",
        "their reward in the last tenth of the steps less that in the first",
        lambda mini: of.reward_rise(mini, "learnable"),
        above=0,
        figure="runs-reward_by_group",
        construction=BY_DEFINITION,
    ),
    Claim(
        "3, Figure 1b",
        "The unlearnable stay where they were",
        "runs",
        "their reward in the last tenth of the steps",
        lambda mini: of.late_reward(mini, "unlearnable"),
        below=TAU,
        figure="runs-reward_by_group",
        construction=BY_DEFINITION,
    ),
    Claim(
        "4.1, Figure 2",
        "More positives (oversampling, replay) do not teach the unlearnable",
        "hypotheses",
        PASS,
        final("hypotheses", "oversample_replay"),
        below=TAU,
        figure="hypotheses-compared_rewards",
        construction=NO_RULE,
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
        construction=NO_RULE,
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
        construction=NO_RULE,
    ),
    Claim(
        "A.2, Figure 15b",
        "Nor does training on them alone with 64 rollouts each",
        "k64",
        PASS,
        final("k64"),
        below=TAU,
        figure="k64-compared_rewards",
        construction=NO_RULE,
    ),
    Claim(
        "A.2, Figure 15a",
        "Fine-tuning on right responses does not close the gap",
        "sft",
        "pass@1 of the learnable less that of the unlearnable, at the last checkpoint",
        of.sft_gap,
        above=0,
        figure="sft-pass_rates",
        construction=NO_RULE,
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
        construction=JUDGED,
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
        construction=JUDGED,
    ),
    Claim(
        "5.3, Figures 8, 14",
        "Similar problems are learned themselves",
        "augment",
        "their final pass@1",
        of.similar_learned,
        above=TAU,
        figure="augment-augmentation",
        construction=SIMILAR,
    ),
    Claim(
        "5.3, Figures 8, 14",
        "The originals stay unlearnable beside them",
        "augment",
        PASS,
        final("augment"),
        below=TAU,
        figure="augment-augmentation",
        construction=NO_RULE,
    ),
    Claim(
        "5.3, Figure 10",
        "Similar problems hardly pull where their original does",
        "augment",
        "cosine of an original with its similar problems, less that with all other prompts",
        of.variant_pull,
        below=TAU,
        figure="augment-variants",
        caveat="Similar problems share the original's letter, and with it its methods.",
    ),
    Claim(
        "A.5, Figure 18",
        "A curriculum does not carry over to them",
        "curriculum",
        "final pass@1 of the unlearnable after both stages",
        final("curriculum", "stage2"),
        below=TAU,
        figure="curriculum-compared_stages",
        construction=NO_RULE,
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
        caveat="Mid-training here shows the right methods of the learnable letters; nothing can show the others'.",
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
    counts = Counter(verdict for claim, _, verdict in found if not claim.construction)
    told = ", ".join(f"{counts[name]} {name}" for name in (AGREE, DISAGREE, CANNOT_SAY, NOT_RUN) if counts[name])
    settled = sum(bool(claim.construction) for claim in CLAIMS)
    lines = [
        "# The paper in miniature",
        "",
        f"Of {len(found) - settled} claims of arXiv 2605.16787 that this world leaves open: **{told}**. {settled} more "
        "are settled by construction and do not count. Made by `bash examples/paper/miniature.sh` on the "
        "built-in world, on a CPU: the numbers are read from its runs. `examples/paper/miniature_claims.py` "
        "holds every claim, `miniature_numbers.py` how its number is read. The rule was fixed before this world's "
        "first run, though the claims about cosines (5.1, A.3) were written after a look at a run of an earlier one:",
        "",
        "> *agree* if the number's whole 95 % interval lies in the range that the claim means, *disagree* if all of it "
        "lies outside, else *cannot say*; so too if it has no interval, as the mean of equal values has none.",
        "",
        "Ranges are the paper's threshold τ = 0.1, or 0 for a difference; ours are 0.9 for a correlation, 0.5 to 2 for "
        "a ratio, 0.1 for a cosine. Intervals are over prompts: they cover the choice of "
        f"prompts, not of worlds or training seeds. Groups are those that all {len(mini.runs)} trainings agree on, as "
        "in the paper. A 0.45 M-parameter model and 320 prompts show that the measurements work and what the claims "
        "mean, not that they are true of a language model.",
        "",
        "| paper | claim | number | here (95 % interval) | range | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim, number, verdict in found:
        shown = f"[{verdict}]({figures.name}/{claim.figure}.svg)" if has_figure(claim, figures) else verdict
        shown += ", by construction" if claim.construction else ""
        cells = (claim.place, claim.says, claim.what, str(number or "–"), claim.range, shown)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "A verdict links to its figure."]
    doubts = [(c, verdict) for c, _, verdict in found if verdict in (DISAGREE, CANNOT_SAY) and not c.construction]
    if doubts:
        lines += ["", "## Why not", ""]
        lines += [f"- **{c.says}** ({verdict}). {c.caveat or 'We know no reason.'}" for c, verdict in doubts]
    lines += ["", "## Settled by construction", ""]
    lines += [f"- {c.says}: {c.construction}" for c in CLAIMS if c.construction]
    lines += ["", *heldout(mini), *truth(mini), *minutes(mini), *WORLD, "", *NOT_HERE]
    return "\n".join(lines) + "\n"


def has_figure(claim: Claim, figures: Path) -> bool:
    return bool(claim.figure) and (figures / f"{claim.figure}.svg").exists()


def truth(mini: Miniature) -> list[str]:
    path = mini.folder / "world" / "truth.parquet"
    if mini.minutes("runs") is None or not path.exists():
        return []
    said = agreement(path, mini.runs[0].learnability).lines()
    return ["## Found against planted groups", "", "```", *said, "```", ""]


def heldout(mini: Miniature) -> list[str]:
    """Final pass@1 of trained and of held-out prompts, by planted cause, of every trained model."""
    if mini.minutes("heldout") is None:
        return []
    lines = [
        "## Trained and held-out prompts",
        "",
        "Final pass@1, trained / held out, and the 95 % interval of the difference. In bold if all of it lies above 0: "
        "some of what was learned there was learned by heart. One cell in 40 would be bold without that. A dash: not "
        "trained on.",
        "",
        f"| model | {' | '.join(SHOWN)} |",
        "| --- |" + " --- |" * len(SHOWN),
    ]
    for name, of_cause in of.trained_and_held(mini).items():
        lines.append(f"| {name} | {' | '.join(by_heart(*of_cause[cause]) for cause in SHOWN)} |")
    return [*lines, ""]


def by_heart(trained: Number, held: Number) -> str:
    values = " / ".join("–" if math.isnan(side.value) else f"{side.value:.3f}" for side in (trained, held))
    apart = minus(trained, held)
    if math.isnan(apart.low):
        return values
    shown = f"{values} ({apart.low:.3f} to {apart.high:.3f})".replace("-", "−")
    return f"**{shown}**" if apart.low > 0 else shown


def minutes(mini: Miniature) -> list[str]:
    lines = ["## Minutes", "", "| step | minutes |", "| --- | --- |"]
    taken = {step: mini.minutes(step) for step in STEPS}
    lines += [f"| {step} | {'not run' if t is None else f'{t:.0f}'} |" for step, t in taken.items()]
    return [*lines, f"| all | {sum(t or 0 for t in taken.values()):.0f} |", "", "Of the last attempt at each step.", ""]


WORLD = (
    "## What changed in the world, and why",
    "",
    "The first page was made on an earlier world, in which the answer could be read off the surface.",
    "",
    "- Every answer has the same form and length, and four texts. Before, what could be learned was told by the length "
    "alone (AUC 1.00), and correct rollouts of a prompt were the same text, so that no noise was there to correct.",
    "- Right in one of 24 answers, learnable or not. Before, 0.04 and 0.025.",
    "- Prompts that cannot be learned are answered with the same working as others; only their labels follow no rule. "
    "Before, they were answered with a number that the working did not lead to.",
    "- What can be learned is put together of skills that other letters use. Before, it was one habit of all letters.",
    "- New causes: a wrong label on a rule that can be learned, an answer that can be guessed, labels that the "
    "verifier misreads. Before: beyond the model, random labels, never rewarded.",
    "- Every letter is shown equally often before training. Before, some were shown seven times as often as others.",
    "- Held-out prompts of every rule are evaluated beside the trained ones: memorising is shown.",
)
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
