"""Reward of each group over the training steps (paper, Figure 1b): numbers first, then the figure."""

from pathlib import Path

import numpy as np

from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.run_dir import GROUPS, RunDir, read_table


def group_of(run: RunDir) -> dict[str, str]:
    """prompt_id → group, from learnability.parquet."""
    table = read_table(run.learnability, ["prompt_id", "group"])
    return dict(zip(table["prompt_id"].to_pylist(), table["group"].to_pylist(), strict=True))


def reward_curves(run: RunDir, groups: dict[str, str]) -> list[dict]:
    """For each group and step: prompts visited, their mean reward as sampled, half a 95 % interval of that mean."""
    table = run.read_steps("rewards", ["step", "prompt_id", "processed", "mean_reward"])
    sampled = table.filter(np.logical_not(table["processed"].to_numpy()))
    steps, names = sampled["step"].to_numpy(), sampled["prompt_id"].to_pylist()
    rewards = sampled["mean_reward"].to_numpy()
    found = np.array([groups.get(name, "") for name in names])
    rows = []
    for group in GROUPS:
        for step in np.unique(steps[found == group]):
            values = rewards[(found == group) & (steps == step)]
            spread = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            rows.append(
                {
                    "group": group,
                    "step": int(step),
                    "prompts": len(values),
                    "mean_reward": float(values.mean()),
                    "half_width": float(1.96 * spread),
                }
            )
    return rows


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving average; at the ends over what is there."""
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def draw_curves(rows: list[dict], folder: Path) -> str:
    """Save reward_by_group as PNG, SVG, PDF and CSV in `folder`; returns the SVG."""
    import csv

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "reward_by_group.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with plt.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "0"}):
        figure, axes = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
        for group in dict.fromkeys(row["group"] for row in rows):
            mine = [row for row in rows if row["group"] == group]
            steps = np.array([row["step"] for row in mine])
            window = max(1, len(steps) // 20)
            mean = smoothed(np.array([row["mean_reward"] for row in mine]), window)
            half = smoothed(np.array([row["half_width"] for row in mine]), window)
            colour = GROUP_COLOURS[group]
            axes.plot(steps, mean, color=colour, label=GROUP_NAMES[group], linewidth=1.8)
            axes.fill_between(steps, np.clip(mean - half, 0, None), mean + half, color=colour, alpha=0.15, linewidth=0)
        axes.set(xlabel="training step", ylabel="mean reward (share of rollouts correct)", ylim=(-0.02, 1.02))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        figure.legend(loc="outside right center", frameon=False)
        for suffix in ("png", "svg", "pdf"):
            figure.savefig(folder / f"reward_by_group.{suffix}", dpi=200, transparent=suffix == "svg")
        plt.close(figure)
    svg = (folder / "reward_by_group.svg").read_text()
    return svg[svg.index("<svg") :]
