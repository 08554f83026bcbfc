"""The page: every number is the summary's, nothing is fetched, and text of users and models stays text."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.report.changes import KINDS
from openrlhf_unlearn.report.figures import FIGURES
from openrlhf_unlearn.report.numbers import Say, look_up, show
from openrlhf_unlearn.report.page import policy
from openrlhf_unlearn.store.run_dir import GROUPS, read_json, read_table
from tests.report.worlds import NASTY, Prompt, full_run, prompts, whole_run

SILENT = {"script", "style", "svg", "code", "pre", "title", "option"}
OURS = re.compile(r"pass@1|95 %|5 % level|arXiv:2605\.16787|Table 1\b")  # words with digits that are no results


class Reader(HTMLParser):
    """Collects <data> elements and the visible text outside them, of figures' insides and of what users gave."""

    def __init__(self):
        super().__init__()
        self.numbers, self.text, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in {"meta", "link", "input", "br", "img"}:
            return
        given = "given" in (attributes.get("class") or "").split()
        self.open.append((tag, tag in SILENT or given, attributes if tag == "data" else None))
        if tag == "data":
            self.numbers.append([attributes, ""])

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if any(silent for _, silent, _ in self.open):
            return
        if any(number is not None for *_, number in self.open):
            self.numbers[-1][1] += data
        else:
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = whole_run(tmp_path_factory.mktemp("page") / "run", each=12, hostile=True, model="<script>alert(1)</script>")
    made = prompts(12) + [Prompt(text, text, "unlearnable") for text in NASTY]
    other = full_run(run.path.parent / "other", made=made, seed=3)
    assert cli.main(["analyze", str(run), str(other), "--compare", "--offline", "--figure-files"]) == 0
    return run


def test_everything_is_drawn_that_has_data(run):
    drawn = set(read_json(run.summary)["report"]["figures"])
    others = {"augmentation", "variants", "transfer", "compared_stages"}
    assert {figure.name for figure in FIGURES} - drawn == others
    for name in drawn:
        assert f'id="figure-{name}"' in run.report.read_text()


def test_every_number_of_the_page_is_in_the_summary(run):
    report, page = read_json(run.summary)["report"], read(run.report.read_text())
    assert len(page.numbers) > 100
    for attributes, text in page.numbers:
        value = look_up(report, attributes["data-key"])
        assert text == show(value, attributes["data-kind"]), attributes
        assert attributes["value"] == ("" if value is None else repr(value))


def test_no_number_of_the_page_is_outside_the_summary(run):
    text = OURS.sub("", " ".join(read(run.report.read_text()).text))
    assert not re.findall(r"\S*\d\S*", text)


def test_numbers_of_prompts_are_those_of_the_csv(run):
    data = unpacked(run.report.read_text(), "table-data")
    import csv

    with (run.report.parent / "prompts.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["prompt_id"] for row in rows] == data["id"]
    about = read_json(run.summary)["report"]["prompts_file"]
    assert about["rows"] == len(rows) and about["columns"] == list(rows[0])
    labels = {row["prompt_id"]: row["p_improved"] for row in read_table(run.learnability).to_pylist()}
    for row in rows:
        assert float(row["p_improved"]) == pytest.approx(labels[row["prompt_id"]], abs=1e-4)
    for name in about["columns"][2:]:
        for row, shown in zip(rows, data[name], strict=True):
            if name.startswith("change_"):
                assert row[name] == (KINDS[shown] if shown >= 0 else ""), name
            elif name == "cause":
                assert row[name] == shown
            else:
                assert shown is None if row[name] == "" else shown == pytest.approx(float(row[name]), abs=5.1e-5), name


def test_numbers_of_the_prompt_browser_are_those_of_the_summary(run):
    kept, html = read_json(run.summary)["report"]["prompt_table"], run.report.read_text()
    shown, opened = unpacked(html, "table-data"), details(html)
    assert kept["prompt_id"] == shown["id"] and kept["group"] == [GROUPS[code] for code in shown["group"]]
    texts = {"id", "text", "cut", "label", "group", "advice", "advice_names", "shown"}  # no results
    for name in shown.keys() - texts:
        assert kept[name] == shown[name], name
    for i, entry in enumerate(opened):
        assert kept["curve"][i] == entry["curve"]
        assert (kept["near"][i], kept["far"][i]) == (entry.get("near", []), entry.get("far", []))
        assert kept["shown"][i] == [[*rollout[:5], rollout[7]] for rollout in entry.get("rollouts", [])]
    for name in ("near", "far", "curve", "shown"):
        assert any(kept[name]), f"no prompt has {name}: nothing was compared"


def test_sentences_of_the_summary_are_those_of_the_page(run):
    report, html = read_json(run.summary)["report"], run.report.read_text()
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    for sentence in [*report["answer"], *report["figures"].values(), *report["advice"]]:
        assert sentence["text"].replace("`", "") in plain.replace("&#39;", "'")


def test_nothing_is_fetched_and_only_our_scripts_run(run):
    html = run.report.read_text()
    without_data = re.sub(r"data:[a-z/+0-9-]*[;,][^\s\"')]*", "data:", html)
    assert not re.search(r"""(?:src|srcset)\s*=\s*["']?(?:https?:)?//|url\((?!#|data)|@import""", without_data)
    assert re.search(r'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;|default-src', html)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy(scripts).replace("'", "&#39;") in html


def test_text_of_models_and_users_is_no_markup(run):
    html = run.report.read_text()
    assert "<script>alert" not in html and "window.hacked" not in html
    assert html.count("<script") == html.count("</script>")


def test_rollouts_are_kept_correct_beside_incorrect_and_cut(tmp_path):
    from tests.report.worlds import start, train

    made = prompts(2, ("unlearnable",))
    run = start(tmp_path / "run", made)
    long = "start " + "x" * 5000 + " end"
    train(run, made, 3, rollouts=[long, "wrong", "right", "wrong too"])
    assert cli.main(["analyze", str(run), "--offline", "--figure-files"]) == 0
    rollouts = details(run.report.read_text())[0]["rollouts"]
    right = [r for r in rollouts if r[3] > 0.5]
    assert len(rollouts) == 8 and len(right) == 4
    cut = next(r for r in rollouts if r[7])
    assert cut[0] == "step 3" and cut[1] == "rollouts/step-000003.parquet"
    assert cut[5].startswith("start ") and cut[6].endswith(" end") and len(cut[5]) + len(cut[6]) + cut[7] == len(long)


def test_katex_travels_only_with_mathematics(tmp_path, run):
    assert "katex.render" in run.report.read_text() and "KaTeX_Main" in run.report.read_text()
    from tests.report.worlds import start, train

    plain = start(tmp_path / "plain", made := [Prompt("two and two?", "four", "easy")])
    train(plain, made, 2, rollouts=["four", "five"])
    assert cli.main(["analyze", str(plain), "--offline", "--figure-files"]) == 0
    assert "KaTeX_Main" not in plain.report.read_text() and plain.report.stat().st_size < 150_000


def test_a_sentence_says_the_same_as_text_and_as_html():
    say = Say("{n:count} of `a<b` {who:plain}, {share:percent}", {"n": 1234, "who": "<i>", "share": None}, "k")
    assert say.text == "1,234 of `a<b` <i>, –"
    assert [Say("{n:prompt|prompts}", {"n": n}, "k").text for n in (0, 1, 2)] == ["prompts", "prompt", "prompts"]
    assert [show(v, "percent") for v in (0, 0.004, 0.12, 0.996, 1)] == ["0 %", "0.4 %", "12 %", ">99 %", "100 %"]
    assert Say("{n:a<b|c}", {"n": 1}, "k").__html__() == "a&lt;b", "a word is no number of the summary"
    assert say.__html__() == (
        '<data value="1234" data-key="k.numbers.n" data-kind="count">1,234</data> of <code>a&lt;b</code> '
        '<span class="given">&lt;i&gt;</span>, <data value="" data-key="k.numbers.share" data-kind="percent">–</data>'
    )


def unpacked(html: str, name: str):
    packed = re.search(rf'<script [^>]*id="{name}">([^<]*)</script>', html)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def details(html: str) -> list[dict]:
    blocks = json.loads(re.search(r'id="details-data">([^<]*)</script>', html)[1])
    return [entry for block in blocks for entry in json.loads(gzip.decompress(base64.b64decode(block)))]
