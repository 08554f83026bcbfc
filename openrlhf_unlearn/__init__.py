"""See which prompts an RLVR run could not learn, why, and what to do about it.

From Python, without Ray or OpenRLHF (docs/api.md; the notebook docs/from_run_to_labels.ipynb uses them in turn):

    from openrlhf_unlearn import RunDir, classify
    classify(["run"]).table.to_pandas()
"""

import importlib

__version__ = "0.1.0"

# Resolved at first use: `import openrlhf_unlearn` loads nothing, and torch only where gradients are computed.
_HOMES = {
    "AnalyzeOptions": "report.options",
    "Classification": "labels.classify",
    "ClassifyOptions": "labels.classify",
    "Decision": "filters",
    "Evaluation": "evaluation.evaluate",
    "EvaluateOptions": "evaluation.evaluate",
    "ExportOptions": "exchange.exporting",
    "FilterConfig": "filters",
    "Forecast": "labels.forecast",
    "ForecastOptions": "labels.forecast",
    "Gradients": "probe",
    "Group": "filters",
    "ImportOptions": "exchange.options",
    "Imported": "exchange.importing",
    "MathGrader": "grading",
    "ProbeOptions": "probe.command",
    "RegradeOptions": "pipeline.regrade",
    "Rollout": "filters",
    "Rollouts": "probe",
    "RunDir": "store.run_dir",
    "SampleFilter": "filters",
    "UserError": "errors",
    "analyze": "pipeline.analyze",
    "classify": "labels.classify",
    "diagnose": "pipeline.diagnose",
    "evaluate": "evaluation.evaluate",
    "export": "exchange.exporting",
    "forecast": "labels.forecast",
    "import_runs": "exchange.importing",
    "probe": "probe",
    "prompt_gradients": "probe",
    "regrade": "pipeline.regrade",
    "save_labels": "labels.classify:save",
    "similarity": "probe",
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
