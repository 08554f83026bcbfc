"""What leaves the house: a small site, no secret in it, and no name if so asked."""

import inspect
import json
import re
import shutil

import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.causes.audit import evaluation_tag
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.pipeline.anonymous import Names, anonymous_runs
from openrlhf_unlearn.pipeline.diagnose import known_models
from openrlhf_unlearn.pipeline.publish import follows_training, publish, rules, write_site
from openrlhf_unlearn.report.page import policy
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from tests.report.test_page import details, unpacked
from tests.report.worlds import evaluate, full_run, prompts, start

KEY = "sk-abcdefghijklmnopqrstuvwx"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = prompts(2)
    folder = tmp_path_factory.mktemp("publish") / "home-of-ann"
    run = full_run(folder / "run", made=made, steps=2, model="/models/secret-base", data="ann/private-set")
    table = read_table(run.evaluation("final"))
    place = table.column_names.index("response")
    said = pa.array([f"the key is {KEY}\n{KEY}\x1b{KEY}\\n{KEY}"] * len(table))
    write_table(run.evaluation("final"), table.set_column(place, "response", said))
    assert cli.main(["analyze", str(run), "--offline", "--figure-files", "--tau", "0.02"]) == 0
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


def test_an_old_report_is_masked_where_it_had_clear_text(run, tmp_path):
    """As a version before the masking wrote it: in commands and paths of the page, in prompts.csv and lists."""
    report = tmp_path / "run" / "report"
    shutil.copytree(run.report.parent, report)
    before = report.joinpath("report.html").read_text()
    planted = "openrlhf-unlearn analyze r --logger.wandb.key &#39;0123 MaRkEd&#39; &gt; log"
    secrets = [f"<pre>{planted}</pre>", '<span title="https://u:0123MaRkEd@host/v1?token=0123MaRkEd">r</span>']
    report.joinpath("report.html").write_text(before.replace("</main>", "".join(secrets) + "</main>"))
    table = report.joinpath("prompts.csv").read_text()
    with report.joinpath("prompts.csv").open("a") as lines:
        lines.write(f'{KEY},"token=""0123MaRkEd"", and more"\n')
    (report / "lists").mkdir(exist_ok=True)
    report.joinpath("lists", "old.json").write_text(json.dumps([KEY, "a"]))
    write_site(report, read_json(run.summary)["report"], tmp_path / "site")
    said = everything(tmp_path / "site")
    assert "MaRkEd" not in said and KEY not in said
    html = (tmp_path / "site" / "index.html").read_text()
    masked = "openrlhf-unlearn analyze r --logger.wandb.key &#x27;***&#x27; &gt; log"
    assert f'<pre>{masked}</pre><span title="https://***@host/v1?token=&#x27;***&#x27;">r</span></main>' in html
    packed = re.compile(r'(id="(?:table|details)-data">)[^<]*')
    kept = html.replace(html[html.index(f"<pre>{masked}") : html.index("</main>")], "")
    assert packed.sub(r"\1", kept) == packed.sub(r"\1", before), "all else stays"
    assert (tmp_path / "site" / "prompts.csv").read_text().startswith(table)


def test_anonymised_it_names_nobody(run, tmp_path):
    assert cli.main(["publish", str(run), "--to", str(tmp_path / "site"), "--anonymise"]) == 0
    said = everything(tmp_path / "site")
    for name in ("secret-base", "private-set", "home-of-ann", str(tmp_path), KEY):
        assert name not in said, name
    html = (tmp_path / "site" / "index.html").read_text()
    assert "run-1" in html and "model 1" in html
    shown, own = unpacked(html, "table-data"), unpacked(run.report.read_text(), "table-data")
    same = ("final", "id", "group")
    assert [shown[name] for name in same] == [own[name] for name in same], "the numbers are the same"


def test_without_a_way_to_the_hub_one_line(run, monkeypatch, capsys):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert cli.main(["publish", str(run), "--to", "hf:nobody/nothing"]) == 1
    said = capsys.readouterr().err
    assert "was not published" in said and said.count("\n") == 1


@pytest.mark.parametrize("private", [False, True])
def test_what_the_hub_is_asked(run, monkeypatch, private):
    """A Space that is there and public is made private before anything is put into it."""
    real = pytest.importorskip("huggingface_hub").HfApi
    asked = []

    class Recorder:
        endpoint = "https://hub"

        def __getattr__(self, name):
            def call(*args, **named):
                asked.append((name, inspect.signature(getattr(real, name)).bind(self, *args, **named).arguments))
                if name == "upload_folder":
                    sent.extend(str(path.relative_to(named["folder_path"])) for path in named["folder_path"].rglob("*"))

            return call

    sent: list[str] = []
    monkeypatch.setattr("huggingface_hub.HfApi", Recorder)
    made = publish((str(run),), to="hf:org/space", private=private)
    assert made.target == "https://hub/spaces/org/space"
    names = ["create_repo", *(["update_repo_settings"] if private else []), "upload_folder"]
    assert [name for name, _ in asked] == names
    assert asked[0][1]["private"] is (True if private else None), "an organization may have its Spaces private"
    assert all(about["repo_type"] == "space" and about["repo_id"] == "org/space" for _, about in asked)
    assert {name for name in sent if "/" not in name} == {"index.html", "prompts.csv", "lists", "README.md"}
    assert asked[-1][1]["delete_patterns"] == "lists/*.json", "lists of an earlier report go"


def test_a_comparison_is_copied_without_the_names_of_its_runs():
    kept = {"compare": {"runs": ["secret", "other"], "spent": [{"run": "secret", "steps": 3}]}}
    assert Names().clean(kept) == {"compare": {"runs": ["run 1", "run 2"], "spent": [{"run": "run 1", "steps": 3}]}}


def test_second_models_have_other_names_in_a_copy(tmp_path, monkeypatch):
    run, other = (start(tmp_path / name, prompts(1)) for name in ("run", "secret-run"))
    tag = evaluation_tag("/models/secret-second")
    evaluate(run, prompts(1), tag, n=1)
    evaluate(other, prompts(1), "final", n=1)
    write_json(run.evaluation_json(tag), {"model": "/models/secret-second"})
    seconds = [[tag, str(run.evaluation(tag))], ["secret-run", str(other.evaluation("final"))]]
    write_json(run.causes_json, {"remedies": [], "seconds": [], "made_from": {"seconds": seconds, "files": {}}})
    (copy,) = anonymous_runs([run], tmp_path / "copies")
    monkeypatch.chdir(tmp_path / "copies")
    assert [name for name, _ in known_models(RunDir(copy))] == ["model-1", "model 3"]
    files = [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]
    assert "secret" not in "".join(str(path.relative_to(tmp_path)) for path in files)
    assert "secret" not in "".join(path.read_text() for path in files if path.suffix == ".json")


@pytest.mark.parametrize(
    ("page", "numbers", "follows"),
    [
        ("<p>", {"live": 30}, True),
        ('<code id="pause">', {"live": None}, False),
        ('<button type="button" id="pause">', {}, True),  # of an earlier version, whose summary does not say
        ("<p>", {}, False),
    ],
)
def test_a_page_that_follows_training_says_so_in_its_summary(page, numbers, follows):
    assert follows_training(page, numbers) is follows


@pytest.mark.parametrize("place", ["report.html", "prompts.csv", "lists/x.json", "lists"])
def test_what_a_link_leads_to_is_not_published(tmp_path, place):
    """A received run's report, with a link to what is the user's."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "x.json").write_text("private")
    report = tmp_path / "run" / "report"
    (report / "lists").mkdir(parents=True)
    (report / "report.html").write_text("<html>")
    (report / "prompts.csv").write_text("")
    if place == "lists":
        (report / "lists").rmdir()
    (report / place).unlink(missing_ok=True)
    (report / place).symlink_to(mine if place == "lists" else mine / "x.json")
    with pytest.raises(UserError, match="is a link, or in one"):
        write_site(report, {}, tmp_path / "site")


def test_a_page_that_follows_training_is_not_published(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.html").write_text("<p>")
    with pytest.raises(UserError, match="make one that stays"):
        write_site(folder, {"live": 30}, tmp_path / "site")


@pytest.mark.parametrize(
    ("numbers", "flags"),
    [
        ({"tau": 0.02, "easy": 0.1, "threshold": None, "allow_uneven": False}, ["--tau=0.02", "--easy=0.1"]),
        (
            {"tau": 0.1, "easy": 0.1, "threshold": 0.0, "allow_uneven": True, "command": "another --tau=0.9"},
            ["--tau=0.1", "--easy=0.1", "--threshold=0.0", "--allow-uneven"],
        ),
        ({"tau": 0.02, "command": "openrlhf-unlearn analyze r --tau=0.02 --allow-uneven --output=x"},
         ["--tau=0.02", "--allow-uneven"]),  # of an earlier version
        ({}, []),
    ],
)  # fmt: skip
def test_the_rules_of_a_report_are_fields_of_its_summary(numbers, flags):
    assert rules(numbers) == flags
