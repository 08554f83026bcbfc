"""Which rollouts the page shows, and what it says of them."""

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.rollouts import hardest, read_rollouts
from openrlhf_unlearn.store.run_dir import read_table, write_table
from tests.report.worlds import evaluate, prompts, start


def test_the_graders_reason_stands_beside_its_verdict(tmp_path):
    made = prompts(2)
    run = start(tmp_path / "run", made)
    evaluate(run, made, "initial", n=4)
    evaluate(run, made, "final", n=4)
    table = read_table(run.evaluation("final"))
    write_table(run.evaluation("final"), table.append_column("reason", pa.array(["box; number"] * len(table))))
    material = Material([run], 0.1, 0.1)
    found, _ = read_rollouts(material, hardest(material))
    said = {(rollout.source, rollout.reason) for kept in found.values() for rollout in kept}
    assert ("final", "box; number") in said and ("initial", "") in said, "older evaluations have no reasons"


def test_a_rollout_is_right_by_the_threshold_that_rates_are_counted_by(tmp_path):
    made = prompts(2, ("learnable",))
    run = start(tmp_path / "run", made)
    evaluate(run, made, "final", n=4)
    table = read_table(run.evaluation("final"))
    half = pa.array([0.5 * reward for reward in table.column("reward").to_pylist()])
    write_table(run.evaluation("final"), table.set_column(table.column_names.index("reward"), "reward", half))
    for threshold in (None, 0.4):
        material = Material([run], 0.1, 0.1, threshold=threshold)
        found, samples = read_rollouts(material, hardest(material))
        right = int(material.tally("final").positive.sum())
        assert sum(sample.right for sample in samples) == right == (0 if threshold is None else 8)
        assert sum(rollout.correct for kept in found.values() for rollout in kept) == right


def test_a_response_of_nothing_is_shown_and_one_that_is_not_kept_is_not(tmp_path):
    made = prompts(1, ("no_reward",))
    run = start(tmp_path / "run", made)
    evaluate(run, made, "final", n=4)
    table = read_table(run.evaluation("final"))
    said = pa.array(["", "", None, "no"], pa.string())
    write_table(run.evaluation("final"), table.set_column(table.column_names.index("response"), "response", said))
    found, samples = read_rollouts(Material([run]), np.array([0]))
    assert [rollout.response for rollout in found[0]] == ["", "", "no"] and len(samples) == 4
