"""Which rollouts the page shows, and what it says of them."""

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
