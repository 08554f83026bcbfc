"""One colour a group, everywhere: Okabe and Ito's palette, which colour-blind readers tell apart.

Figures are drawn in the colours for light paper; in the page each of them is a CSS variable, and dark mode lightens
those that a dark ground would swallow.
"""

GROUP_COLOURS = {
    "easy": "#009E73",
    "learnable": "#0072B2",
    "unlearnable": "#D55E00",
    "no_reward": "#666666",
    "mixed": "#CC79A7",
    "ungradable": "#E69F00",
    "hard": "#0072B2",  # of curves while training runs; no group of the labels
    "all": "#666666",
}
GROUP_NAMES = {
    "easy": "Easy",
    "learnable": "Learnable",
    "unlearnable": "Unlearnable",
    "no_reward": "No reward",
    "mixed": "Mixed",
    "ungradable": "Ungradable",
    "hard": "Hard before training",
    "all": "All prompts",
}
GROUP_MEANINGS = {
    "easy": "solved often enough before training",
    "learnable": "hard before training, solved after it, in every run, rewarded in training or not",
    "unlearnable": "rewarded during training, still not solved after it, in every run",
    "no_reward": "not solved after training, and some run sampled no correct rollout of it in training",
    "mixed": "the runs disagree",
    "ungradable": "its label cannot be graded; it says nothing about the model",
}
INK, SOFT, LINE, PAPER = "#1d232b", "#57606a", "#d9dee4", "#ffffff"  # text, lesser text, rules, ground
RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")  # compared runs, in order
DARK = {
    INK: "#e6e9ed",
    SOFT: "#a3adb8",
    LINE: "#39424d",
    PAPER: "#14181d",
    "#0072B2": "#4aa3df",
    "#666666": "#9aa1a9",
    "#009E73": "#1fb98c",
    "#D55E00": "#ef7d2a",
}
