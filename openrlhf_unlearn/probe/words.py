"""What a probe says on the terminal."""

import sys

from openrlhf_unlearn.errors import counted
from openrlhf_unlearn.store.probes import ProbeNumbers
from openrlhf_unlearn.store.run_dir import RunDir


def note(text: str) -> None:
    """Say something on stderr, on a line of its own even while a progress bar is shown."""
    from tqdm import tqdm

    tqdm.write(f"note: {text}", file=sys.stderr)


def say(run_dir: RunDir, name: str, result: ProbeNumbers) -> str:
    """What came out, in a few lines."""
    lines = [
        f"{run_dir.probe(name)}: {counted(result['prompts'], 'prompt')}, {result['subspace']} ({result['dim']} "
        f"numbers, {result['bytes_per_prompt'] / 1e6:.1f} MB a prompt), {result['tokens']} tokens in "
        f"{result['seconds']:.1f} s",
    ]
    for group, row in result["groups"].items():
        pooled = result["group_to_all"].get(group) or {}
        lines.append(
            f"  {group:12} {row['prompts']:4} prompts, {row['median_rollouts']:3.0f} correct rollouts (median); mean "
            f"cosine plain {_number(row['plain'])}, corrected {_number(pooled.get('corrected'))} "
            f"[{_number(pooled.get('low'))}, {_number(pooled.get('high'))}]; "
            f"{row['enough_rollouts']} have enough rollouts alone" + _identical(row["identical_rollouts"])
        )
    lines.append(f"  {result['order']}")
    for kind in ("plain", "corrected"):
        if entry := result["separation"].get(kind):
            lines.append(f"  learnable from unlearnable, AUC {kind}: {_interval(entry)}")
    for entry in result["separation"]["equal"]:
        lines.append(f"  at {entry['rollouts']} rollouts each: {_interval(entry)}")
    if result["left_out"]:
        lines.append(
            f"  {len(result['left_out'])} prompts left out, their gradient is not finite: {result['left_out'][0]} …"
        )
    return "\n".join(lines)


def against(found: dict) -> str:
    """How the mean cosines of two probes correlate, over all prompts and within their groups."""

    def pair(row: dict) -> str:
        return f"{_number(row['correlation'])}, of ranks {_number(row['rank_correlation'])}, {row['prompts']} prompts"

    lines = [f"mean cosines against all parameters': correlation {pair(found)}"]
    for name, row in (found.get("within") or {}).items():
        lines.append(f"  within {'groups' if name == 'all' else f'the group {name}'}: {pair(row)}")
    return "\n".join(lines)


def _identical(count: int) -> str:
    return f", {count} of them identical ones" if count else ""


def trajectory(results: dict[str, ProbeNumbers]) -> str:
    """One line a probe: each group's mean cosine, plain and corrected (A.4, 5.4)."""
    lines = ["group, plain (corrected): " + ", ".join(results)]
    for group in next(iter(results.values()))["groups"]:
        cells = []
        for result in results.values():
            row = result["groups"].get(group, {})
            pooled = result["group_to_all"].get(group) or {}
            cells.append(f"{_number(row.get('plain'))} ({_number(pooled.get('corrected'))})")
        lines.append(f"  {group:12} " + "  ".join(cells))
    return "\n".join(lines)


def _interval(entry: dict) -> str:
    return (
        f"{entry['auc']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}], {entry['prompts'][0]} and {entry['prompts'][1]}"
    )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
