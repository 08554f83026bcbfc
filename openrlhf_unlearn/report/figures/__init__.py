"""Every figure of the report, in the order of the page's sections; a figure is drawn whenever its data is there.

To add one: a `Figure` in the module of its subject, named in FIGURES. `python -m openrlhf_unlearn.report.figures` lists
them with what each needs.
"""

from openrlhf_unlearn.report.figures import gradients, groups, interventions, rollouts, similarity, training

FIGURES = (
    training.REWARD_BY_GROUP,
    groups.CAUSES_BY_GROUP,
    groups.PASS_RATES,
    groups.CHANGE,
    training.TURNOVER,
    similarity.SIMILARITY,
    similarity.SIMILARITY_GROUPS,
    similarity.SIMILARITY_PROMPTS,
    gradients.SEPARATION,
    similarity.SIMILARITY_OVER_TRAINING,
    similarity.SIMILARITY_OVER_MODELS,
    gradients.SPECTRUM,
    gradients.INTERFERENCE,
    rollouts.LIKELIHOOD,
    training.CLIPPING,
    rollouts.REASONING,
    interventions.AUGMENTATION,
    interventions.VARIANTS,
    gradients.TRANSFER,
    rollouts.VERDICTS_BY_GROUP,
    training.ACCEPTANCE,
    groups.SENSITIVITY,
    groups.FORECAST,
    interventions.COMPARED_REWARDS,
    interventions.COMPARED_PASS_RATES,
    interventions.COMPARED_STAGES,
)
