"""Hints for `--unlearn.filter hinted`: read as the host prepares data; rollouts put behind the plain prompt."""

from types import SimpleNamespace

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.json_rows import json_rows


def hint_rows(spec: str) -> list[dict]:
    """The hinted rows of files of `openrlhf-unlearn hints`, joined by commas. UserError if they are none."""
    paths = map(str.strip, spec.split(","))
    rows = [row for path in paths for row in json_rows("--unlearn.hints", path, ("origin", "hint"), "hints")]
    return [row for row in rows if row["hint"]]


def load_hints(args: SimpleNamespace, tokenizer, prompt_ids: set[str]) -> dict[str, tuple[str, ...]]:
    """Prompt id → its hinted prompts as the host prepares its data, the smallest share first.

    Those that leave no room to answer are left out, and counted: the host would cut off the beginning of the problem.
    Raises UserError where no row has its origin among `prompt_ids`, or none fits.
    """
    from openrlhf.datasets.prompts_dataset import preprocess_data

    data, found, too_long = args.data, {}, 0
    room = data.max_len - (args.rollout.max_new_tokens or 1)
    template = tokenizer.apply_chat_template if data.apply_chat_template else None
    for row in hint_rows(args.unlearn.hints):
        if row["origin"] in prompt_ids:
            text, _ = preprocess_data(row, data.input_template, data.input_key, data.label_key, template)
            if len(tokenizer(text=text, add_special_tokens=False)["input_ids"]) > room:
                too_long += 1
            else:
                found.setdefault(row["origin"], []).append((row["hint"], text))
    if too_long:
        said = (
            f"--unlearn.hints: {too_long} hinted prompts have more than {room} tokens (--data.max_len less an answer)"
        )
        if not found:
            raise UserError(f"{said}, which are all: raise --data.max_len")
        print(f"{said} and are left out", flush=True)
    if not found:
        raise UserError(
            f"--unlearn.hints {args.unlearn.hints}: no row's origin is a prompt that trains; of other data?"
        )
    return {name: tuple(text for _, text in sorted(hints)) for name, hints in found.items()}


def behind(response: dict, prompt: list[int]) -> dict:
    """The host's response as if it came after the tokens `prompt`: its own tokens and their log-probs stay."""
    start = response["action_ranges"][0][0]
    shift, log_probs = len(prompt) - start, response["rollout_log_probs"]
    return {
        **response,
        "observation_tokens": [*prompt, *response["observation_tokens"][start:]],
        "action_ranges": [(begin + shift, end + shift) for begin, end in response["action_ranges"]],
        "rollout_log_probs": None if log_probs is None else [0.0] * len(prompt) + list(log_probs[start:]),
    }


def prompt_tokens(experience) -> list[int]:
    """The tokens before the first that was sampled, of the host's experience of one rollout."""
    first = int(experience.action_mask[0].nonzero()[0])  # the mask begins at the second token
    return experience.sequences[0, : first + 1].tolist()
