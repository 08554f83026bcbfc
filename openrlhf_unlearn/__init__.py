"""See which prompts an RLVR run could not learn, why, and what to do about it.

From Python, without Ray or OpenRLHF (docs/api.md; the notebook docs/from_run_to_labels.ipynb uses them in turn):

    from openrlhf_unlearn import RunDir, classify
    classify(["run"]).table.to_pylist()
"""

import importlib
from typing import TYPE_CHECKING

from openrlhf_unlearn.old_names import forward_old_names

__version__ = "0.1.0"

# Resolved at first use: `import openrlhf_unlearn` loads nothing, and torch only where a model computes.
_HOMES = {
    "AnalyzeOptions": "report.options",
    "AugmentOptions": "interventions.augment",
    "Augmented": "interventions.augment",
    "Classification": "labels.classify",
    "ClassifyOptions": "labels.classify",
    "Compared": "pipeline.compare",
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

if TYPE_CHECKING:  # the same names for type checkers, to which `__getattr__` says nothing
    # isort: off
    from openrlhf_unlearn.causes.diagnosis import Diagnosis as Diagnosis
    from openrlhf_unlearn.errors import UserError as UserError
    from openrlhf_unlearn.evaluation.evaluate import (
        EvaluateOptions as EvaluateOptions,
        Evaluation as Evaluation,
        evaluate as evaluate,
    )
    from openrlhf_unlearn.exchange.exporting import ExportOptions as ExportOptions, export as export
    from openrlhf_unlearn.exchange.importing import Imported as Imported, import_runs as import_runs
    from openrlhf_unlearn.exchange.options import ImportOptions as ImportOptions
    from openrlhf_unlearn.filters import (
        Decision as Decision,
        FilterConfig as FilterConfig,
        Group as Group,
        Rollout as Rollout,
        SampleFilter as SampleFilter,
    )
    from openrlhf_unlearn.grading import MathGrader as MathGrader
    from openrlhf_unlearn.interventions.augment import (
        Augmented as Augmented,
        AugmentOptions as AugmentOptions,
        augment as augment,
    )
    from openrlhf_unlearn.interventions.endpoint import Endpoint as Endpoint, Limits as Limits
    from openrlhf_unlearn.interventions.hints import Hinted as Hinted, HintsOptions as HintsOptions, hints as hints
    from openrlhf_unlearn.interventions.judge import JudgeOptions as JudgeOptions, judge as judge
    from openrlhf_unlearn.interventions.sft_set import (
        SftSet as SftSet,
        SftSetOptions as SftSetOptions,
        sft_set as sft_set,
    )
    from openrlhf_unlearn.labels.classify import (
        Classification as Classification,
        ClassifyOptions as ClassifyOptions,
        classify as classify,
        save,
    )
    from openrlhf_unlearn.labels.forecast import (
        Forecast as Forecast,
        ForecastOptions as ForecastOptions,
        forecast as forecast,
    )
    from openrlhf_unlearn.pipeline.analyze import analyze as analyze
    from openrlhf_unlearn.pipeline.compare import (
        CompareOptions as CompareOptions,
        Compared as Compared,
        compare as compare,
    )
    from openrlhf_unlearn.pipeline.curriculum import CurriculumOptions as CurriculumOptions, curriculum as curriculum
    from openrlhf_unlearn.pipeline.diagnose import DiagnoseOptions as DiagnoseOptions, diagnose as diagnose
    from openrlhf_unlearn.pipeline.models import ModelsOptions as ModelsOptions, models as models
    from openrlhf_unlearn.pipeline.publish import (
        Published as Published,
        PublishOptions as PublishOptions,
        publish as publish,
    )
    from openrlhf_unlearn.pipeline.regrade import RegradeOptions as RegradeOptions, regrade as regrade
    from openrlhf_unlearn.probe import (
        Gradients as Gradients,
        Rollouts as Rollouts,
        prompt_gradients as prompt_gradients,
        similarity as similarity,
    )
    from openrlhf_unlearn.probe.command import ProbeOptions as ProbeOptions, probe as probe
    from openrlhf_unlearn.report.options import AnalyzeOptions as AnalyzeOptions
    from openrlhf_unlearn.store.run_dir import RunDir as RunDir
    from openrlhf_unlearn.transfer.command import Transfer as Transfer, transfer as transfer
    from openrlhf_unlearn.transfer.options import TransferOptions as TransferOptions
    from openrlhf_unlearn.worlds.tasks import TasksOptions as TasksOptions, tasks as tasks

    # isort: on
    save_labels = save

forward_old_names()


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, called = _HOMES[name].partition(":")
    module = importlib.import_module(f"{__name__}.{home}")
    return module if name == home else getattr(module, called or name)


def __dir__() -> list[str]:
    return sorted(__all__)
