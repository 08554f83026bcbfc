"""Every verb of the command line: its module and a line of what it is for."""

VERBS = {
    "demo": ("openrlhf_unlearn.demo", "a run that is in the package, classified and reported: what you would get"),
    "examples": ("openrlhf_unlearn.pipeline.scripts", "copy the scripts of every experiment out of the package"),
    "doctor": ("openrlhf_unlearn.host.doctor", "check versions, hooks, device and patches, and say how to mend them"),
    "patch": ("openrlhf_unlearn.host.patching", "apply, revert or show our changes to the installed OpenRLHF"),
    "microworld": ("openrlhf_unlearn.worlds", "write the built-in model and data set with planted truth"),
    "train": ("openrlhf_unlearn.host.launcher", "train with OpenRLHF and the plugin, without patching the launcher in"),
    "evaluate": ("openrlhf_unlearn.evaluation.evaluate", "sample N rollouts a prompt and grade them: pass@1"),
    "classify": ("openrlhf_unlearn.labels.classify", "easy, learnable, unlearnable: label every prompt"),
    "import": ("openrlhf_unlearn.exchange.importing", "other frameworks' rollouts become a run directory"),
    "export": ("openrlhf_unlearn.exchange.exporting", "labels for others: id lists, data sets, the paper's files"),
    "forecast": ("openrlhf_unlearn.labels.forecast", "risk of being unlearnable, from before training"),
    "augment": ("openrlhf_unlearn.interventions.augment", "new problems for prompts that were not learned"),
    "probe": ("openrlhf_unlearn.probe.command", "gradients by prompt: who is an outlier, without the noise"),
    "judge": ("openrlhf_unlearn.interventions.judge", "how good the reasoning of correct rollouts is, from 0 to 5"),
    "sft-set": ("openrlhf_unlearn.interventions.sft_set", "a stronger model's right responses, to fine-tune on"),
    "curriculum": ("openrlhf_unlearn.pipeline.curriculum", "two stages: without the unlearnable, then with them"),
    "models": ("openrlhf_unlearn.pipeline.models", "base models side by side: pass@1 and gradients by group"),
    "grade": ("openrlhf_unlearn.grading.command", "grade a file of responses: each verdict with its reason"),
    "regrade": ("openrlhf_unlearn.pipeline.regrade", "grade saved responses again: what another verdict changes"),
    "analyze": ("openrlhf_unlearn.pipeline.analyze", "everything that is missing, then the report"),
}
