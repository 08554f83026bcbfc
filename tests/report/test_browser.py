"""The page in a real browser: Debian's Chromium, driven by Playwright, on a desktop and a phone, light and dark."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.pipeline import analyze
from openrlhf_unlearn.report.decisions import read_decisions
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_table
from tests.report.screenshots import browser
from tests.report.worlds import NASTY, full_run, prompt_id, prompts, start, train, whole_run
from tests.tables import of_dicts
from tests.words import parsed

pytestmark = pytest.mark.slow
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
LOOKS = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]
MORE = [pytest.param(look, marks=pytest.mark.long("each width and each scheme, once")) for look in LOOKS[2:]]
everywhere = pytest.mark.parametrize("look", LOOKS[:2] + MORE, ids=str, indirect=True)
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
    assert "P(after − before > 0.05)" in page.inner_text("#prompt-body")
    neighbour = page.get_attribute(".neighbours a >> nth=0", "href").rpartition("prompt=")[2]
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


def test_a_prompt_opens_also_while_the_address_is_about_to_say_what_was_typed(page):
    """The address follows what is typed a moment later: after a link was followed it once took the link back."""
    page.evaluate(
        """() => {
            const later = [], own = setTimeout;
            setTimeout = (then) => later.push(then);
            document.querySelector("#search").value = "plus 1?";
            document.querySelector("#filters").dispatchEvent(new Event("input"));
            location.hash = document.querySelector("#body tr[data-id] a").getAttribute("href");
            for (const then of later) then(); // before the page hears that the address has changed
            setTimeout = own;
        }"""
    )
    page.wait_for_selector("#prompt[open] .question")


def test_rows_stay_while_they_are_clicked_though_the_table_moves_a_little(page):
    """Someone presses on a row, the table is resized or scrolled by a row, and the button is let go."""
    page.locator(f"{SHOWN} a").first.hover()
    page.mouse.down()
    page.evaluate(
        """() => new Promise((done) => {
            const box = document.querySelector("#rows");
            box.style.height = `${box.clientHeight - 1}px`;
            box.dispatchEvent(new Event("scroll"));
            requestAnimationFrame(() => requestAnimationFrame(done));
        })"""
    )
    page.mouse.up()
    page.wait_for_selector("#prompt[open] .question")


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
    words = (run, *others, "--no-evaluate", "--no-probe", "--figure-files", *flags)
    analyze.make_report(parsed(analyze.OPTIONS, *words), live)
    return run.report.as_uri()


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> tuple[str, list[str]]:
    """The address of the page of two runs, the second of which broke three prompts; and these."""
    folder, made = tmp_path_factory.mktemp("compared"), prompts(4)
    two = [full_run(folder / name, made=made) for name in ("stock", "other")]
    broken = [prompt.id for prompt in made[:3]]
    table = read_table(two[1].evaluation("final")).to_pylist()
    for row in table:
        if row["prompt_id"] in broken:
            row.update(reward=0.0, verdict="wrong", response=r"Divide by zero, so \boxed{77}")
    of_dicts(Evaluations, table).write(two[1], "final")
    return make_page(*two, flags=["--compare"]), broken


@pytest.fixture(scope="module")
def others(tmp_path_factory, compared) -> list[str]:
    """Addresses of the page of a run with nothing but rewards and a conversation, and of two runs compared."""
    made = prompts(4)
    little = start(tmp_path_factory.mktemp("others") / "little", made)
    turns = [{"role": "assistant", "content": "let me add"}, {"role": "tool", "content": "<b>4</b>"}]
    train(little, made, 3, rollouts=[json.dumps(turns)])
    return [make_page(little), compared[0]]


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
    page.click("h1")  # reads no more
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


def opened(chromium, address: str):
    page = chromium.new_page(viewport={"width": 1280, "height": 844})
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    return page


def tab_to(page, selector: str, most: int = 80) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by keyboard")


def test_what_a_second_run_broke_is_found_and_exported_by_keyboard_alone(chromium, compared):
    address, broken = compared
    page = opened(chromium, address)
    tab_to(page, "#by-change")
    page.keyboard.type("broken")
    wait_for(page, "#found", "3 of 16 prompts")
    assert page.locator(".change.broken").count() == 3
    tab_to(page, "#save-found")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert sorted(json.loads(Path(download.value.path()).read_text())) == sorted(broken)
    page.wait_for_url("**#change=3")
    page.click("#filters button[type=reset]")
    page.click("text=Show what it broke")
    wait_for(page, "#found", "3 of 16 prompts")
    page.wait_for_url("**#change=3")
    again = opened(chromium, page.url)
    wait_for(again, "#found", "3 of 16 prompts")
    again.click(f"{SHOWN} a")
    again.wait_for_selector("#prompt-body .question")
    assert "broken" in again.inner_text("#prompt-body .pairs")
    titles = again.eval_on_selector_all("#prompt-body .sides h3", "all => all.map(h => h.textContent)")
    assert titles == ["stock (4)", "other (4)"]
    for side in (1, 2):
        again.locator(f"#prompt-body .sides > div:nth-child({side}) .rollout button").last.click()
    assert again.locator(".beside .said").count() == 2 and again.locator(".beside mark").count()
    page.close()
    again.close()


def test_the_answer_leads_to_what_a_second_run_broke_in_few_keys(chromium, compared):
    address, broken = compared
    page = opened(chromium, address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skips to the answer
    tab_to(page, "#answer a[data-change='3']", most=2)
    page.keyboard.press("Enter")
    wait_for(page, "#found:focus", "3 of 16 prompts")
    tab_to(page, "#save-found", most=16)  # past the table's head, its first row and the marks
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert sorted(json.loads(Path(download.value.path()).read_text())) == sorted(broken)
    page.close()


def test_rollouts_are_searched_and_what_is_found_is_marked(chromium, compared):
    page = opened(chromium, compared[0])
    page.select_option("#search-in", "rollouts")
    page.fill("#search", '"divide by" ZERO')
    wait_for(page, "#found", "3 of 16 prompts, 6 rollouts")
    assert page.locator(f"{SHOWN} .passage mark").count() >= 3
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    assert page.locator(".rollout.hit").count() == 2
    assert {mark.lower() for mark in page.locator(".rollout mark").all_inner_texts()} == {"divide by", "zero"}
    page.keyboard.press("Escape")
    page.select_option("#by-verdict", "correct")
    wait_for(page, "#found", "0 of 16")
    page.fill("#search", "")
    page.select_option("#by-source", "final")
    wait_for(page, "#found", "rollouts")
    page.wait_for_url("**#in=rollouts&verdict=correct&step=final")
    found = page.inner_text("#found")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    wait_for(page, "#found", found)
    page.close()


def test_decisions_are_kept_undone_and_read_again(chromium, compared, tmp_path):
    address, broken = compared
    page = opened(chromium, f"{address}#change=3")
    page.click("#mark-found button:has-text('Label wrong')")
    wait_for(page, "#decided", "3 label wrong")
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    first = page.inner_text("#prompt-title").removeprefix("Prompt ")
    page.fill(".decide-one label:has-text('Right label') input", "8")
    page.fill(".decide-one label:has-text('Note') input", "<b>sure</b>")
    page.click("#next")
    wait_for(page, "#prompt-title", broken[1] if first != broken[1] else "Prompt")
    page.click(".decide-one button:has-text('Drop')")
    page.keyboard.press("Escape")
    wait_for(page, "#decided", "1 drop, 2 label wrong, 0 keep, 1 note")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator(f"{SHOWN} .tag").count() == 3
    with page.expect_download() as download:
        page.click("#save-decisions")
    path = tmp_path / "decisions.json"
    download.value.save_as(path)
    made = read_decisions(path)
    assert set(made) == set(broken) and (made[first].label, made[first].note) == ("8", "<b>sure</b>")
    with page.expect_download() as download:
        page.click("[data-save=label_wrong]")
    assert len(json.loads(Path(download.value.path()).read_text())) == 2
    page.select_option("#by-mark", "drop")
    wait_for(page, "#found", "1 of 16")
    page.click("#forget")
    wait_for(page, "#decided", "Nothing is decided")
    page.click("#undo")
    wait_for(page, "#decided", "1 drop")
    page.click("#forget")
    page.set_input_files("#load-decisions", path)
    wait_for(page, "#decided", "Read: 3 decisions")
    (tmp_path / "other.json").write_text("[]")
    page.set_input_files("#load-decisions", tmp_path / "other.json")
    wait_for(page, "#decided", "other.json holds no decisions")
    page.close()


def test_two_pages_share_decisions_and_undo_takes_back_the_last_one(chromium, compared):
    context = chromium.new_context(viewport={"width": 1280, "height": 844})
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(compared[0])
        page.wait_for_selector("html[data-ready]")
    one.click("#mark-found button:has-text('Keep')")
    wait_for(two, "#decided", "16 keep")
    two.click(f"{SHOWN} a")
    two.wait_for_selector("#prompt-body .question")
    two.click(".decide-one button:has-text('Drop')")
    two.fill(".decide-one label:has-text('Note') input", "why")
    two.keyboard.press("Escape")
    wait_for(one, "#decided", "1 drop, 0 label wrong, 15 keep, 1 note")
    two.click("#undo")
    wait_for(one, "#decided", "1 drop, 0 label wrong, 15 keep, 0 notes")
    path = {"kind": "decisions", "version": 1, "decisions": [{"prompt_id": compared[1][0], "decision": "constructor"}]}
    file = {"name": "d.json", "mimeType": "application/json", "buffer": json.dumps(path).encode()}
    one.set_input_files("#load-decisions", file)
    wait_for(one, "#decided", "Read: 0 decisions")
    context.close()


def test_rewards_below_zero_and_a_response_of_nothing(chromium, tmp_path):
    made = prompts(1, ("no_reward",))
    run = start(tmp_path / "run", made)
    train(run, made, 2, rollouts=["", "İ said HELP"])
    for step in (1, 2):
        table = read_table(run.step_file("rewards", step))
        place = table.column_names.index("mean_reward")
        write_table(run.step_file("rewards", step), table.set_column(place, "mean_reward", pa.array([-1.0])))
    page = opened(chromium, f"{make_page(run)}#in=rollouts&q=help")
    assert page.inner_text(f"{SHOWN} .passage") == "İ said HELP"
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt-body .question")
    box, dots = page.locator(".curve").bounding_box(), page.locator(".curve circle").all()
    assert dots and all(dot.bounding_box()["y"] < box["y"] + box["height"] - 20 for dot in dots)
    assert "Nothing was said." in page.locator(".rollout .said").all_inner_texts()
    page.close()


def test_kinds_of_failure_lead_to_their_prompts(page, run):
    failures = read_json(run.summary)["report"]["failures"]
    page.click("[data-failure='0']")
    wait_for(page, "#found", f"{failures['kinds'][0]['prompts']} of")
    page.click("nav a:has-text('Answer')")
    assert page.evaluate("document.activeElement.id") == "answer"
    page.wait_for_url("**#*failure=0*")


def test_a_conversation_is_shown_by_its_turns(chromium, others):
    page = opened(chromium, others[0])
    page.click(f"{SHOWN} a")
    page.wait_for_selector(".turn")
    assert page.locator(".turn").first.inner_text().split() == ["assistant", "let", "me", "add"]
    assert page.locator(".turn").nth(1).inner_text().endswith("<b>4</b>")
    page.close()


def test_back_and_forth_in_the_history(page):
    page.fill("#search", "plus 1?")
    page.wait_for_url("**#q=plus*")
    page.click(f"{SHOWN} a")
    page.wait_for_selector("#prompt[open] .question")
    page.go_back()
    page.wait_for_selector("#prompt:not([open])", state="hidden")
    assert page.input_value("#search") == "plus 1?"
