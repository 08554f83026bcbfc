"""Base models side by side on one run's prompts: names, probes on their own rollouts, the report's figure."""

import pytest

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.pipeline.models import named
from openrlhf_unlearn.report.figures.similarity import SIMILARITY_OVER_MODELS, SIMILARITY_OVER_TRAINING
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import prompt_id, read_json
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, full_answer
from tests.report import worlds
from tests.tables import of_dicts


@pytest.mark.parametrize("words", ["base=a", "base=a base=b", "a b=c", "initial=a b=c", "x/y=a b=c"])
def test_what_is_no_pair_of_name_and_model_is_one_line(words):
    with pytest.raises(UsageError, match="NAME=MODEL|two models"):
        named(words.split())


@pytest.mark.slow
def test_two_models_are_probed_on_their_own_rollouts_and_drawn_side_by_side(world, tmp_path, capsys):
    """The evaluations are there, as after a first command that was stopped, so no engine is started."""
    problems = sorted(draw_prompts(SETTINGS["standard"], 0)[0], key=lambda p: p.digits)
    chosen = [p for group in ("learnable", "unlearnable") for p in problems if p.group == group][:140:4]
    made = [worlds.Prompt(p.prompt, p.label, p.group) for p in chosen]
    run = worlds.start(tmp_path / "run", made)
    labels = [{"prompt_id": p.id, "group": p.kind} for p in made]
    of_dicts(Learnability, labels).write(run)
    for tag in ("base", "mid"):
        rows = []
        for p in chosen:
            for sample in range(4):
                right = sample < (2 if tag == "base" else 3)
                text = full_answer(p, None if right else "1111")
                values = (prompt_id(p.prompt, p.label), sample, text, float(right), "correct" if right else "wrong", 9)
                rows.append(dict(zip(Evaluations.schema.names, values, strict=True)))
        of_dicts(Evaluations, rows).write(run, tag)

    model = str(world / "model")
    assert main(["models", str(run), f"base={model}", f"mid={model}", "--per-group", "6"]) == 0, capsys.readouterr()
    assert read_json(run.summary)["models"] == ["base", "mid"] and run.report.exists()
    material = Material([run])
    assert set(SIMILARITY_OVER_MODELS.data(material)["probe"]) == {"base", "mid"}
    assert SIMILARITY_OVER_TRAINING.data(material) is None
    n = {name: material.probes[name].n_correct for name in ("base", "mid")}
    assert {2.0} <= set(n["base"][n["base"] > 0]) and {3.0} <= set(n["mid"][n["mid"] > 0])
