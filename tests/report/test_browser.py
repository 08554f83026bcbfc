"""The page in a real browser: Debian's Chromium, driven by Playwright, on a desktop and a phone, light and dark."""

import argparse
import json
from pathlib import Path

import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.pipeline import analyze
from openrlhf_unlearn.report.screenshots import browser
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_table
from tests.report.worlds import NASTY, full_run, prompt_id, prompts, start, train, whole_run

pytestmark = pytest.mark.slow
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
LOOKS = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]
everywhere = pytest.mark.parametrize("look", LOOKS, ids=str, indirect=True)
SHOWN = "#body tr[data-id]"


@pytest.fixture(scope="module")
def chromium():
    try:
        with browser() as found:
            yield found
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = whole_run(tmp_path_factory.mktemp("browser") / "run", hostile=True)
    assert cli.main(["analyze", str(run), "--offline", "--figure-files"]) == 0
    return run


@pytest.fixture(params=LOOKS[:2], ids=str)
def look(request):
    return request.param


@pytest.fixture
def page(chromium, run, look):
    """The report, opened; in the end nothing was said on the console and nothing was asked of the network."""
    width, scheme = look
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(run.report.as_uri())
    page.wait_for_selector("html[data-ready]")
    yield page
    assert not said
    assert [url for url in asked if url.split(":")[0] not in ("data", "blob")] == [run.report.as_uri()]
    assert page.evaluate("window.hacked") is None
    page.close()


def wait_for(page, selector: str, text: str) -> None:
    page.locator(selector, has_text=text).wait_for()


def found(page) -> int:
    return int(page.inner_text("#found").split(" of ")[0].replace(",", ""))


@everywhere
def test_nothing_is_wider_than_the_screen(page, look):
    assert page.evaluate("document.documentElement.scrollWidth") <= look[0]
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    assert page.evaluate("document.querySelector('#prompt').scrollWidth") <= look[0]


@everywhere
def test_axe_finds_no_serious_violation(page, look):
    page.evaluate(AXE.read_text())
    assert serious(page) == []
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    assert serious(page) == []


def serious(page) -> list[str]:
    result = page.evaluate("axe.run()")
    assert result["passes"], "axe ran"
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]} {violation['nodes'][0]['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def test_every_filter_narrows_and_reset_brings_all_back(page, run):
    total, summary = found(page), read_json(run.summary)["report"]
    assert total == summary["prompts"]
    page.fill("#search", "plus 2?")
    assert found(page) == summary["groups"]["unlearnable"]["prompts"] - len(NASTY)
    page.click("#filters button[type=reset]")
    wait_for(page, "#found", f"{total} of {total}")
    page.click("#by-group button:has-text('Easy')")
    assert found(page) == total - summary["groups"]["easy"]["prompts"]
    page.click("#by-group button:has-text('Easy')")
    page.select_option("#by-advice", "0")
    assert found(page) == summary["advice"][0]["numbers"]["prompts"]
    page.select_option("#by-advice", "")
    page.fill("#initial-from", "0.3")
    assert found(page) == summary["groups"]["easy"]["prompts"]
    page.fill("#initial-from", "")
    page.fill("#final-to", "0")
    assert 0 < found(page) < total
    page.fill("#final-to", "")
    page.fill("#cosine-to", "0.3")
    assert 0 < found(page) < total
    page.check("#with-failures")
    assert found(page) == 0
    page.click("#filters button[type=reset]")
    wait_for(page, "#found", f"{total} of {total}")
    assert page.get_attribute("#by-group button", "aria-pressed") == "true"


def test_sorting_by_column_and_by_menu(page):
    def texts() -> list[str]:
        return page.eval_on_selector_all(f"{SHOWN} a", "links => links.map(link => link.textContent)")

    page.select_option("#sort", "text")
    assert texts() == sorted(texts())
    page.click("#direction")
    assert texts() == sorted(texts(), reverse=True)
    assert page.get_attribute("#columns th", "aria-sort") == "descending"
    page.click("#columns th[data-key=final] button")
    assert page.get_attribute("#columns th[data-key=final]", "aria-sort") == "ascending"


def test_a_prompt_opens_and_closes_by_keyboard_alone(page):
    page.focus("#search")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#body') !== null"):
            break
    names = page.eval_on_selector_all(SHOWN, "rows => rows.map(row => row.dataset.id)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("#prompt[open] .question")
    assert names[1] in page.inner_text("#prompt-title") and page.url.endswith(f"#prompt={names[1]}")
    assert page.evaluate("document.activeElement.closest('#prompt') !== null")
    page.focus("#next")
    page.keyboard.press("Enter")
    wait_for(page, "#prompt-title", names[2])
    page.keyboard.press("Escape")
    page.wait_for_selector("#prompt:not([open])", state="hidden")
    assert page.evaluate("document.activeElement.closest('tr').dataset.id") == names[2]
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.at") == str(found(page) - 1)
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.dataset.at") == "0"


def test_an_open_prompt_shows_curve_neighbours_and_both_kinds_of_rollouts(page):
    page.fill("#search", "plus 1?")
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    titles = page.eval_on_selector_all("#prompt-body h3", "all => all.map(h => h.textContent)")
    assert titles[:3] == ["Reward over training", "Nearest by gradient (cosine)", "Farthest by gradient (cosine)"]
    assert titles[3:] == ["Correct (4)", "Incorrect (4)"]
    assert page.locator("#prompt-body .curve circle").count() == 6
    neighbour = page.get_attribute(".neighbours a >> nth=0", "href").removeprefix("#prompt=")
    page.click(".neighbours a >> nth=0")
    wait_for(page, "#prompt-title", neighbour)
    assert page.input_value(".share input") == page.url
    page.click("#close")
    assert "#prompt" not in page.url


def test_a_shared_link_opens_its_prompt(page, run):
    name = prompt_id("What is 3 plus 1?", "4")
    page.goto(f"{run.report.as_uri()}#prompt={name}")
    page.wait_for_selector("#prompt[open] .question")
    assert page.inner_text(".question") == "What is 3 plus 1?"
    page.evaluate("location.hash = 'prompt=nothing'")
    wait_for(page, "#found", "No prompt here")


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_shows_as_text(chromium, run, text):
    page = chromium.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{run.report.as_uri()}#prompt={prompt_id(text, text)}")
    page.wait_for_selector("#prompt-body .question")
    question = page.evaluate("document.querySelector('.question').textContent")
    assert question.replace("\ufffd", "\x00") == text or ("$" in text and page.locator(".question .katex").count())
    assert not page.locator("#prompt-body a[href^=javascript]").count()
    assert not page.locator(".said script, .said style, .said img").count()
    assert page.evaluate("window.hacked") is None and not said
    assert page.is_visible("#prompt-title") and page.locator(".rollout").count() == 8
    page.close()


def test_any_id_can_be_linked_to(chromium, tmp_path):
    names = ["100%", "a%41", "#prompt=b", "c d/ü?&\"'<i>", "e"]
    made = prompts(len(names), ("unlearnable",))
    run = start(tmp_path / "run", made)
    train(run, made, 2)
    new = {p.id: name for p, name in zip(made, names, strict=True)}
    for path in [run.prompts, *(run.step_file("rewards", step) for step in run.steps("rewards"))]:
        table = read_table(path)
        place = table.column_names.index("prompt_id")
        column = pa.array([new[name] for name in table.column(place).to_pylist()])
        write_table(path, table.set_column(place, "prompt_id", column))
    page = chromium.new_page()
    page.goto(make_page(run))
    page.wait_for_selector("html[data-ready]")
    for name, prompt in zip(names, made, strict=True):
        page.click(f"{SHOWN} a:text-is('{prompt.text}')")
        wait_for(page, "#prompt-title", f"Prompt {name}")
        link = page.input_value(".share input")
        page.click("#close")
        page.goto("about:blank")
        page.goto(link)
        wait_for(page, "#prompt-title", f"Prompt {name}")
        page.click("#close")
    page.evaluate("location.hash = 'prompt=%E0%A4%A'")
    wait_for(page, "#found", "No prompt here has the id %E0%A4%A")
    page.close()


def test_mathematics_is_typeset_and_broken_mathematics_is_text(page):
    page.fill("#search", "plus 1?")
    page.check("#with-rollouts")
    page.click(f"{SHOWN} a")
    page.wait_for_selector(".rollout")
    assert page.locator(".rollout .katex").count()
    name = prompt_id(*[next(text for text in NASTY if "unknowncommand" in text)] * 2)
    page.evaluate(f"location.hash = 'prompt={name}'")
    wait_for(page, "#prompt-title", name)
    said = page.evaluate("document.querySelector('.question').textContent")
    assert r"\href{javascript:" in said and r"\frac{1}{" in said


def test_advice_leads_to_its_prompts_and_its_list(page, run):
    advice = read_json(run.summary)["report"]["advice"][0]
    page.click("[data-advice='0']")
    wait_for(page, "#found", f"{advice['numbers']['prompts']} of")
    with page.expect_download() as download:
        page.click("[data-list='0']")
    assert download.value.suggested_filename == f"{advice['name']}.json"
    saved = json.loads(Path(download.value.path()).read_text())
    assert set(saved) == set(json.loads(Path(advice["list"]).read_text()))


@everywhere
def test_colours_can_be_chosen(page, look):
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {page.evaluate(ground)}
    for word in ("light", "dark"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Colours: {word}"
        seen.add(page.evaluate(ground))
    assert len(seen) == 2


def make_page(run, *others, live: int | None = None, flags=()) -> str:
    """The address of the page of runs, as `analyze` or, with `live`, `analyze --watch` makes it."""
    parser = argparse.ArgumentParser()
    analyze.add_arguments(parser)
    args = parser.parse_args([*map(str, (run, *others)), "--no-evaluate", "--no-probe", "--figure-files", *flags])
    analyze.analyze(args, live=live)
    return run.report.as_uri()


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> list[str]:
    """Addresses of the page of a run with nothing but rewards, and of two runs compared."""
    folder, made = tmp_path_factory.mktemp("others"), prompts(4)
    little = start(folder / "little", made)
    train(little, made, 3)
    two = [full_run(folder / name, each=4) for name in ("stock", "other")]
    return [make_page(little), make_page(*two, flags=["--compare"])]


@everywhere
def test_a_page_of_little_and_a_page_of_two_runs_are_sound(chromium, others, look):
    for address in others:
        page = chromium.new_page(viewport={"width": look[0], "height": 844}, color_scheme=look[1])
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        page.evaluate(AXE.read_text())
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= look[0]
        page.close()


def test_a_live_page_loads_itself_again_unless_it_is_read_or_paused(chromium, tmp_path):
    made = prompts(2)
    run = start(tmp_path / "run", made)
    train(run, made, 1)
    page = chromium.new_page()
    page.goto(make_page(run, live=1))
    page.wait_for_selector("html[data-ready]")
    page.fill("#search", "plus")
    page.evaluate("document.activeElement.blur()")
    train(run, made, 2)
    make_page(run, live=1)
    page.locator(".facts dd", has_text="2").nth(0).wait_for()
    page.wait_for_selector("html[data-ready]")
    assert page.input_value("#search") == "plus", "what was filtered by stays"
    page.click("#pause")
    page.evaluate("window.same = true")
    page.wait_for_timeout(2500)
    assert page.evaluate("window.same") and page.inner_text("#pause") == "Refresh is paused"
    page.close()
