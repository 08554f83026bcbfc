"""The recorded run: small, without a trace of the machine that made it, and never over a run of the user's own."""

import json
import zipfile

import pytest

from openrlhf_unlearn import cli, demo
from openrlhf_unlearn.demo.recording import pack, unpack
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json
from openrlhf_unlearn.store.training import STEP_KINDS
from tests.report import worlds


def strings(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_the_recording_is_small_and_names_no_place_of_a_machine():
    assert demo.RECORDING.stat().st_size < 1_000_000
    with zipfile.ZipFile(demo.RECORDING) as archive:
        documents = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    words = [word for document in documents for text in strings(document) for word in text.split()]
    assert [word for word in words if word.startswith(("/", "~"))] == []


def test_a_run_comes_back_from_its_recording(tmp_path):
    run = worlds.whole_run(tmp_path / "run", data=str(tmp_path / "data.jsonl"))
    worlds.classify(run)
    pack(run, tmp_path / "run.zip", "a test")
    first = (tmp_path / "run.zip").read_bytes()
    back = unpack(tmp_path / "run.zip", tmp_path / "back")
    assert back.config().values == {**run.config().values, "data": "quickstart/data.jsonl", "recorded": "a test"}
    assert all(kind.read(back).arrow.equals(kind.read(run).arrow) for kind in STEP_KINDS)
    assert [read_table(back.evaluation(tag)) for tag in back.evaluation_tags()] == [
        read_table(run.evaluation(tag)) for tag in run.evaluation_tags()
    ]
    assert back.probe_tags() == run.probe_tags() and not back.learnability.exists()
    pack(run, tmp_path / "run.zip", "a test")
    assert (tmp_path / "run.zip").read_bytes() == first


@pytest.mark.parametrize("there", ["a file in it", "a run of one's own", "a file"])
def test_what_is_the_users_own_stays(tmp_path, there, capsys):
    folder = tmp_path / "folder"
    if there == "a file":
        folder.write_text("mine")
    elif there == "a file in it":
        folder.mkdir()
        (folder / "mine").write_text("mine")
    else:
        worlds.full_run(folder, each=1, steps=1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(["demo", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "choose another folder: openrlhf-unlearn demo FOLDER" in line
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A recording of few prompts and steps in place of the one in the package."""
    pack(worlds.full_run(tmp_path / "small", each=6, steps=2), tmp_path / "small.zip", "small")
    monkeypatch.setattr(demo, "RECORDING", tmp_path / "small.zip")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("display", "words", "opened"),
    [("", [], 0), (":0", [], 1), (":0", ["--no-open"], 0)],
    ids=["no", "yes", "not asked"],
)
def test_the_report_is_opened_where_there_is_a_display(small, monkeypatch, capsys, display, words, opened):
    calls = []
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(demo.webbrowser, "open", lambda address: calls.append(address) or True)
    assert cli.main(["demo", *words]) == 0
    report = RunDir(demo.DEFAULT).report.absolute()
    assert calls == [report.as_uri()] * opened
    assert report.is_file() and str(report) in capsys.readouterr().out


def test_the_demo_is_used_again(small):
    assert cli.main(["demo", "--no-open"]) == 0
    first = read_json(RunDir(demo.DEFAULT).summary)
    write_json(RunDir(demo.DEFAULT).summary, {**first, "mine": 1})
    assert cli.main(["demo", "--no-open"]) == 0
    assert read_json(RunDir(demo.DEFAULT).summary)["mine"] == 1
