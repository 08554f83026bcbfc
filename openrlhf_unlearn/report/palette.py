"""One colour a group, everywhere: Okabe and Ito's palette, which colour-blind readers tell apart."""

GROUP_COLOURS = {
    "easy": "#009E73",
    "learnable": "#0072B2",
    "unlearnable": "#D55E00",
    "no_reward": "#666666",
    "mixed": "#CC79A7",
    "ungradable": "#E69F00",
}
GROUP_NAMES = {
    "easy": "Easy",
    "learnable": "Learnable",
    "unlearnable": "Unlearnable",
    "no_reward": "No reward",
    "mixed": "Mixed",
    "ungradable": "Ungradable",
}
GROUP_MEANINGS = {
    "easy": "solved at least one time in ten before training",
    "learnable": "hard before training, solved after it in every run",
    "unlearnable": "rewarded during training, still not solved after it, in every run",
    "no_reward": "no correct rollout was ever sampled in some run",
    "mixed": "the runs disagree",
    "ungradable": "its label cannot be graded; it says nothing about the model",
}
