"""What a message tells a user to run can be pasted into a shell: names of files quoted, and all that the verb needs."""

import ast
import re
import shlex
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.causes.reading import read_cases
from openrlhf_unlearn.causes.words import CONFIRM
from openrlhf_unlearn.cli.check import check_verb
from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.exchange.exporting import ExportOptions, export
from openrlhf_unlearn.labels.counts import read_counts
from openrlhf_unlearn.labels.features import read_features
from openrlhf_unlearn.labels.forecast import ForecastOptions, forecast
from openrlhf_unlearn.pipeline.anonymous import Names, _remedy
from openrlhf_unlearn.pipeline.compare import compare
from openrlhf_unlearn.pipeline.diagnose import _review_line, second_models
from openrlhf_unlearn.pipeline.publish import publish
from openrlhf_unlearn.probe.rollouts import source
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.transfer.inputs import default_probe
from openrlhf_unlearn.transfer.trained_runs import read as read_trained
from tests.causes.test_second_models import found
from tests.report.worlds import evaluate, prompts, start, train

NAME = "my demo; rm -rf 'x' $HOME"


@pytest.fixture
def run(tmp_path) -> RunDir:
    return start(tmp_path / NAME, prompts(2))


def commands(text: str) -> list[list[str]]:
    """The words of each command that a message ends with, as a shell would part them; the verb takes them."""
    told = [shlex.split(part) for part in re.split(r"\bopenrlhf-unlearn (?=[a-z]+ [^ ]* ?)", text)[1:]]
    for words in told:
        check_verb(words)
    return told


def initial(run: RunDir) -> None:
    evaluate(run, prompts(2), "initial", n=2)


def rewarded(run: RunDir) -> dict:
    train(run, prompts(2), 1)
    return {p.id: "a" for p in prompts(2)}


REFUSED = {
    "no final, classify": lambda run: (initial(run), read_counts([run])),
    "no initial, classify": lambda run: (evaluate(run, prompts(2), "final", n=2), read_counts([run])),
    "rewards of many values": lambda run: (odd_rewards(run), read_counts([run])),
    "no final, diagnose": lambda run: read_cases([run], {}),
    "no evaluation, forecast": lambda run: read_features(run, "initial"),
    "not classified, forecast": lambda run: forecast(ForecastOptions(str(run))),
    "not classified, export": lambda run: export(ExportOptions(str(run), output=Path("o"))),
    "no report": lambda run: publish(str(run), to=str(run.path.parent / "site")),
    "not classified, compare": lambda run: compare(str(run), str(start(run.path.parent / "b", prompts(2)))),
    "not evaluated, compare": lambda run: (
        run.learnability.write_bytes(b""), compare(str(run), str(start(run.path.parent / "b", prompts(2)))),
    ),
    "second without evaluation": lambda run: second_models(start(run.path.parent / "b", prompts(2)), str(run), None),
    "no rollouts, probe": lambda run: source(run, "final", False),
    "no probe, transfer": default_probe,
    "trained, no final": lambda run: read_trained([str(run)], rewarded(run), {}),
    "trained, no initial": lambda run: (
        evaluate(run, prompts(2), "final", n=2), read_trained([str(run)], rewarded(run), {}),
    ),
}  # fmt: skip


def odd_rewards(run: RunDir) -> None:
    import pyarrow as pa

    from openrlhf_unlearn.store.run_dir import read_table, write_table

    for tag in ("initial", "final"):
        evaluate(run, prompts(2), tag, n=2)
        table = read_table(run.evaluation(tag))
        halves = pa.array([0.5] * len(table))
        table = table.set_column(table.schema.get_field_index("reward"), "reward", halves)
        kept = [name for name in table.column_names if name != "positive"]
        write_table(run.evaluation(tag), table.select(kept))


@pytest.mark.parametrize("refused", REFUSED, ids=REFUSED)
def test_the_command_that_a_refusal_names_is_whole_and_quoted(refused, run):
    with pytest.raises(UserError) as error:
        REFUSED[refused](run)
    (words,) = commands(str(error.value))
    assert str(run) in words, "the run, as one word"


def test_what_follows_an_export_is_whole_and_quoted(run, tmp_path):
    said = _review_line(found([]), run, tmp_path / "my review.csv")
    (words,) = commands(said)
    assert words[:4] == ["diagnose", str(run), "--decisions", str(tmp_path / "my review.csv")]
    assert "1 label to review" in said


@pytest.mark.parametrize("cause", CONFIRM)
def test_what_settles_a_cause_is_a_command_that_its_verb_takes(cause):
    told = CONFIRM[cause][1]
    if told.startswith("openrlhf-unlearn "):
        check_verb(shlex.split(told.format(run="'my run'"))[1:])


def test_a_quoted_folder_is_no_name_that_an_anonymous_copy_keeps():
    said = command("classify", "/home/ada/secret demo/run")
    assert "secret" not in Names().clean({"command": said})["command"]
    assert _remedy({"command": said + " --flag {list}"})["command"] == "openrlhf-unlearn classify RUN --flag {list}"
    assert _remedy({"command": "a\nb '/c d/e'"})["command"] == "a\nb RUN", "each way stays a line"
    assert "it's" in _remedy({"command": "openrlhf-unlearn classify it's"})["command"], "by a version that quoted none"


def test_no_message_puts_a_bare_value_into_a_command():
    """`command` quotes; templates whose places are filled later are no f-strings."""
    bare = []
    for path in sorted(Path(openrlhf_unlearn.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                for part, value in zip(node.values, node.values[1:], strict=False):
                    text = part.value if isinstance(part, ast.Constant) else ""
                    if re.search(r"openrlhf-unlearn [a-z-]+ [^;:`]*$", text) and isinstance(value, ast.FormattedValue):
                        bare.append(f"{path.name}:{node.lineno}")
    assert not bare
