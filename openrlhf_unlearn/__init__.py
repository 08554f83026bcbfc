"""See which prompts an RLVR run could not learn, why, and what to do about it.

From Python, without Ray or OpenRLHF (docs/api.md; the notebook docs/from_run_to_labels.ipynb uses them in turn):

    from openrlhf_unlearn import RunDir, classify
    classify(["run"]).table.to_pylist()
"""

import importlib

__version__ = "0.1.0"

# Resolved at first use: `import openrlhf_unlearn` loads nothing, and torch only where a model computes.
_HOMES = {
    "AnalyzeOptions": "report.options",
    "AugmentOptions": "interventions.augment",
    "Augmented": "interventions.augment",
    "Classification": "labels.classify",
    "ClassifyOptions": "labels.classify",
    "CompareOptions": "pipeline.compare",
    "CurriculumOptions": "pipeline.curriculum",
    "Decision": "filters",
    "DiagnoseOptions": "pipeline.diagnose",
    "Diagnosis": "causes.diagnosis",
    "Endpoint": "interventions.endpoint",
    "EvaluateOptions": "evaluation.evaluate",
    "Evaluation": "evaluation.evaluate",
    "ExportOptions": "exchange.exporting",
    "FilterConfig": "filters",
    "Forecast": "labels.forecast",
    "ForecastOptions": "labels.forecast",
    "Gradients": "probe",
    "Group": "filters",
    "Hinted": "interventions.hints",
    "HintsOptions": "interventions.hints",
    "ImportOptions": "exchange.options",
    "Imported": "exchange.importing",
    "JudgeOptions": "interventions.judge",
    "Limits": "interventions.endpoint",
    "MathGrader": "grading",
    "ModelsOptions": "pipeline.models",
    "ProbeOptions": "probe.command",
    "PublishOptions": "pipeline.publish",
    "Published": "pipeline.publish",
    "RegradeOptions": "pipeline.regrade",
    "Rollout": "filters",
    "Rollouts": "probe",
    "RunDir": "store.run_dir",
    "SampleFilter": "filters",
    "SftSet": "interventions.sft_set",
    "SftSetOptions": "interventions.sft_set",
    "TasksOptions": "worlds.tasks",
    "Transfer": "transfer.command",
    "TransferOptions": "transfer.options",
    "UserError": "errors",
    "analyze": "pipeline.analyze",
    "augment": "interventions.augment",
    "classify": "labels.classify",
    "compare": "pipeline.compare",
    "curriculum": "pipeline.curriculum",
    "diagnose": "pipeline.diagnose",
    "evaluate": "evaluation.evaluate",
    "export": "exchange.exporting",
    "forecast": "labels.forecast",
    "hints": "interventions.hints",
    "import_runs": "exchange.importing",
    "judge": "interventions.judge",
    "models": "pipeline.models",
    "probe": "probe",
    "prompt_gradients": "probe",
    "publish": "pipeline.publish",
    "regrade": "pipeline.regrade",
    "save_labels": "labels.classify:save",
    "sft_set": "interventions.sft_set",
    "similarity": "probe",
    "tasks": "worlds.tasks",
    "transfer": "transfer",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, called = _HOMES[name].partition(":")
    module = importlib.import_module(f"{__name__}.{home}")
    return module if name == home else getattr(module, called or name)


def __dir__() -> list[str]:
    return sorted(__all__)
