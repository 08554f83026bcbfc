"""Advice whose numbers can be worked out by hand."""

import pytest

from openrlhf_unlearn.report.advice import advise
from openrlhf_unlearn.report.material import Material
from tests.report.worlds import prompts, start, train


@pytest.mark.parametrize("flag", ["skip_prompts", "only_prompts"])
def test_what_leaving_prompts_out_saved(tmp_path, flag):
    made = prompts(5)
    trained = [prompt for prompt in made if prompt.kind != "unlearnable"]
    run = start(tmp_path / "run", made, args={"unlearn": {flag: "ids.json"}})
    train(run, trained, steps=4, k=8)
    (item,) = [item for item in advise(Material([run]), None, {}) if item["name"] == "left_out"]
    assert {made[row].kind for row in item["rows"]} == {"unlearnable"} and len(item["rows"]) == 5
    assert item["numbers"]["rollouts"] == 5 * 4 * 8 and item["flag"] == "--unlearn.skip_prompts {list}", (
        "the list is of what was left out"
    )


def test_nothing_was_left_out_where_no_flag_asked_for_it(tmp_path):
    made = prompts(5)
    run = start(tmp_path / "run", made)
    train(run, made[:10], steps=4)
    assert "left_out" not in [item["name"] for item in advise(Material([run]), None, {})]
