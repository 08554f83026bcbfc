"""What leaves the house: a small site, no secret in it, and no name if so asked."""

import json
import re

import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.report.page import policy
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_table
from tests.report.test_page import details, unpacked
from tests.report.worlds import full_run, prompts

KEY = "sk-abcdefghijklmnopqrstuvwx"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = prompts(2)
    folder = tmp_path_factory.mktemp("publish") / "home-of-ann"
    run = full_run(folder / "run", made=made, steps=2, model="/models/secret-base", data="ann/private-set")
    table = read_table(run.evaluation("final"))
    place = table.column_names.index("response")
    said = pa.array([f"the key is {KEY}"] * len(table))
    write_table(run.evaluation("final"), table.set_column(place, "response", said))
    assert cli.main(["analyze", str(run), "--offline", "--figure-files"]) == 0
    return run


def everything(folder) -> str:
    """All that the site says, its packed data too."""
    html = (folder / "index.html").read_text()
    others = [path.read_text() for path in folder.rglob("*") if path.is_file() and path.name != "index.html"]
    return "\n".join([html, json.dumps(unpacked(html, "table-data")), json.dumps(details(html)), *others])


def test_a_site_without_secrets(run, tmp_path, capsys):
    assert cli.main(["publish", str(run), "--to", str(tmp_path / "site"), "--markdown", str(tmp_path / "note.md")]) == 0
    assert {path.name for path in (tmp_path / "site").iterdir()} == {"index.html", "prompts.csv", "lists", "README.md"}
    said = everything(tmp_path / "site")
    assert KEY in json.dumps(details(run.report.read_text())), "or nothing was masked"
    assert KEY not in said and "the key is ***" in said
    html = (tmp_path / "site" / "index.html").read_text()
    assert policy(re.findall(r"<script>(.*?)</script>", html, re.DOTALL)).replace("'", "&#39;") in html
    readme = (tmp_path / "site" / "README.md").read_text()
    note = (tmp_path / "note.md").read_text().strip()
    assert readme.startswith("---\n") and "sdk: static" in readme and note in readme
    assert read_json(run.summary)["report"]["answer"][0]["text"] in note
    assert cli.main(["publish", str(run), "--to", str(tmp_path / "site")]) == 1
    assert "is there already" in capsys.readouterr().err


def test_anonymised_it_names_nobody(run, tmp_path):
    assert cli.main(["publish", str(run), "--to", str(tmp_path / "site"), "--anonymise"]) == 0
    said = everything(tmp_path / "site")
    for name in ("secret-base", "private-set", "home-of-ann", str(tmp_path), KEY):
        assert name not in said, name
    html = (tmp_path / "site" / "index.html").read_text()
    assert "run-1" in html and "model 1" in html
    shown, own = unpacked(html, "table-data"), unpacked(run.report.read_text(), "table-data")
    assert shown["final"] == own["final"] and shown["id"] == own["id"], "the numbers are the same"


def test_without_a_way_to_the_hub_one_line(run, monkeypatch, capsys):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert cli.main(["publish", str(run), "--to", "hf:nobody/nothing"]) == 1
    said = capsys.readouterr().err
    assert "was not published" in said and said.count("\n") == 1
