"""The rollouts that a probe takes its gradients from: an evaluation's, or those that training saved.

Tokens are the prompt's, as the run's template made its text, and the response's as they were sampled, end of text
included. Where only text was saved, prompt and response are tokenized apart, so that no token spans the seam.
"""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.probe.engine.packing import Rollouts
from openrlhf_unlearn.probe.words import note
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import TrainingRollouts

CLASSES = ("correct", "incorrect")
_UNGRADED = ("bad_label", "error")
HARD = 0.1  # share of correct rollouts below which a prompt is hard (paper, section 3)
K = 8  # rollouts that train a prompt where run.json does not say (paper)
HARD_SHARE = 0.75  # of the prompts that are probed; the question is about these


@dataclass(frozen=True)
class ChosenRollouts:
    """rollouts: of the chosen prompts. groups, pass_rate: of all prompts, their label now ("" unknown) and the share of
    correct among all their rollouts. origin: tells apart the tables that rollouts come from. weight: of the chosen
    ones, for how many prompts each stands."""

    rollouts: list[Rollouts]
    groups: dict[str, str]
    pass_rate: dict[str, float]
    origin: str
    weight: dict[str, float]


def rollouts_that_train(run: RunDir) -> int:
    return run.config().flag("rollout.n_samples_per_prompt") or K


def choose(
    run: RunDir,
    table: Graded,
    tokenizer,
    vocabulary: int,
    prompts: int,
    per_group: int | None,
    most: int,
    seed: int,
    longest: int | None,
) -> ChosenRollouts:
    """At most `prompts` prompts that have a correct rollout (0: all), at most `most` rollouts a class.

    They are drawn at random among those hard before training, HARD_SHARE of them, and the easy, never by what became of
    them: a forecast from the probe would else know its labels. `per_group`: so many of each group of labels instead.

    longest: of the response in tokens, for rollouts saved as text. Raises UserError if no prompt has one, or if the
    tokens are not of this model.
    """
    classes = _classes(table)
    groups = _groups(run)
    rate = {name: len(c["correct"]) / max(1, sum(map(len, c.values()))) for name, c in classes.items()}
    rng = np.random.default_rng(seed)
    if per_group is None:
        usable = {name: rate[name] for name in classes if classes[name]["correct"]}
        if len(usable) < len(classes):
            without = len(classes) - len(usable)
            note(f"{without} of {len(classes)} prompts have no correct rollout and so no gradient; they are left out")
        weight = _draw(usable, prompts, rng)
    else:
        weight = _of_each_group(classes, groups, per_group, rng)
    if not weight:
        raise UserError(
            "no prompt has a correct rollout, so there is no gradient to take; sample more with evaluate -n"
        )
    wanted = [name for name in classes if name in weight]
    rng = np.random.default_rng(seed)
    rows = {
        (name, kind): sorted(rng.permutation(classes[name][kind])[:most].tolist())
        for name in wanted
        for kind in CLASSES
    }
    tokens = _response_tokens(table, sorted({i for chosen in rows.values() for i in chosen}), tokenizer, longest)
    texts = Prompts.texts(run)
    sample = []
    for name in wanted:
        prompt = tokenizer(text=texts[name], add_special_tokens=False)["input_ids"]
        responses = {kind: [tokens[i] for i in rows[name, kind] if tokens[i]] for kind in CLASSES}
        sample.append(Rollouts(name, prompt, responses))
    _check_vocabulary(sample, vocabulary)
    labels = {name: groups.get(name, "") for name in classes}
    return ChosenRollouts(sample, labels, rate, origin(table), weight)


def origin(table: Graded) -> str:
    """Tells apart the tables that rollouts come from."""
    return digest([table.prompt_id, table[Graded.reward].to_pylist(), table.response])


def source(run: RunDir, tag: str, training: bool) -> Graded:
    """The evaluation's table, or the rollouts that training saved. Raises UserError if there is none."""
    if training:
        table = TrainingRollouts.read(run)
        if not len(table):
            raise UserError(f"{run} holds no rollouts of training; train with --unlearn.save_rollouts N")
        return table
    if not run.evaluation(tag).exists():
        known = ", ".join(run.evaluation_tags()) or "none"
        made = command("evaluate", "--run", run, "--tag", tag, "--model", "MODEL")
        raise UserError(f"--tag {tag}: {run} has no such evaluation (it has {known}); make it: {made}")
    table = Evaluations.read(run, tag)
    if table[Evaluations.response].null_count == len(table):
        raise UserError(f"{run.evaluation(tag)} keeps no responses; evaluate again without --no-save-responses")
    return table


def digest(value) -> str:
    """16 hex digits of anything that JSON can hold."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()


def _classes(table: Graded) -> dict[str, dict[str, list[int]]]:
    """Rows of the table by prompt id and class; what could not be graded is in neither."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: {kind: [] for kind in CLASSES})
    for i, (name, known, positive) in enumerate(
        zip(table.prompt_id, graded(table), table.hits().tolist(), strict=True)
    ):
        if known:
            found[name][CLASSES[0] if positive else CLASSES[1]].append(i)
    return found


def graded(table: Graded) -> np.ndarray:
    """(rows,) of bool: those that are correct or incorrect, as for a probe."""
    columns = zip(table[Graded.reward].to_pylist(), table.verdict, strict=True)
    return np.array([reward is not None and verdict not in _UNGRADED for reward, verdict in columns], bool)


def _groups(run: RunDir) -> dict[str, str]:
    if not run.learnability.exists():
        note(f"{run.learnability} is not there (classify); prompts are probed without groups")
        return {}
    return Learnability.groups(run)


def _draw(rate: dict[str, float], most: int, rng) -> dict[str, float]:
    """Of prompts with a correct rollout, by their pass rate: who is drawn, and for how many each stands."""
    kinds = [sorted(name for name in rate if (rate[name] < HARD) == hard) for hard in (True, False)]
    sizes = list(map(len, kinds))
    if most:
        sizes[0] = min(sizes[0], max(round(HARD_SHARE * most), most - sizes[1]))
        sizes[1] = min(sizes[1], most - sizes[0])
    drawn = [[names[i] for i in rng.permutation(len(names))[:size]] for names, size in zip(kinds, sizes, strict=True)]
    return {name: len(names) / len(mine) for names, mine in zip(kinds, drawn, strict=True) for name in mine}


def _of_each_group(classes: dict, groups: dict[str, str], per_group: int, rng) -> dict[str, float]:
    """The same by label (0: all); says which groups have no correct rollout."""
    members = defaultdict(list)
    for name in classes:
        members[groups.get(name, "")].append(name)
    weight = {}
    for group, names in sorted(members.items()):
        usable = [name for name in names if classes[name]["correct"]]
        if not usable:
            note(f"no prompt of the group {group or '(none)'} has a correct rollout; left out")
        keep = rng.permutation(len(usable))[: per_group or None]
        weight |= {usable[i]: len(usable) / len(keep) for i in keep}
    return weight


def _response_tokens(table: Graded, rows: list[int], tokenizer, longest: int | None) -> dict[int, list[int]]:
    """Token ids of these rows: as sampled where the table has them, else of the text, with its end of text."""
    part = table.take(rows)
    texts = part.response
    stored: list[Any] = part.response_tokens if isinstance(part, Evaluations) else [None]
    if None not in stored:
        for tokens, text in zip(stored[:20], texts[:20], strict=True):
            if text is not None and tokenizer.decode(tokens, skip_special_tokens=False) != text:
                raise UserError(
                    "the rollouts' tokens are not of this model's tokenizer; give the model that sampled them"
                )
        return dict(zip(rows, stored, strict=True))
    if None in texts:
        raise UserError("some rollouts have neither text nor tokens; evaluate again with --save-responses")
    tokens = [tokenizer(text=text, add_special_tokens=False)["input_ids"] for text in texts]
    end = tokenizer.eos_token_id
    if end is not None and not any(ids and ids[-1] == end for ids in tokens):
        note("no saved response has its end of text; it is added to those that were not cut off")
        tokens = [[*ids, end] if longest is None or len(ids) < longest else ids for ids in tokens]
    return dict(zip(rows, tokens, strict=True))


def _check_vocabulary(sample: list[Rollouts], vocabulary: int) -> None:
    for prompt in sample:
        sequences = [prompt.prompt, *(r for responses in prompt.responses.values() for r in responses)]
        largest = max(max(ids, default=0) for ids in sequences)
        if largest >= vocabulary:
            raise UserError(
                f"prompt {prompt.id} has token {largest}, the model only {vocabulary} of them: it does not "
                "fit the run's tokenizer; give the run's own model or a descendant of it"
            )
