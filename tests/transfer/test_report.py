"""The map in the report: of a probe's own name, and never more clusters than can be read."""

from types import SimpleNamespace

from openrlhf_unlearn.report.figures.gradients import MOST_CLUSTERS, TRANSFER, newest_map
from openrlhf_unlearn.store.probes import TransferMap
from openrlhf_unlearn.store.run_dir import RunDir, write_json


def test_the_largest_of_many_clusters_are_shown_with_what_the_map_is_of(tmp_path):
    run, names = RunDir(tmp_path), [f"k{i:02}" for i in range(20)]
    sizes = {name: 5 + i for i, name in enumerate(names)}
    rows = [
        TransferMap.Row(trained=a, changed=b, value=1.0, told=True, prompts_trained=sizes[a])
        for a in names
        for b in names
    ]
    TransferMap.of_rows(rows).write(run, "initial")
    about = {"clusters": names, "exact": False, "sentences": ["Said."], "settings": {"objective": "grpo"}}
    write_json(run.transfer_json("initial"), about)
    assert newest_map(run) is None  # no probe of that name
    write_json(run.probe_json("initial"), {})
    write_json(run.transfer_json("initial.checked"), {**about, "sentences": ["Old."]})
    material = SimpleNamespace(first=run)
    data = TRANSFER.data(material)
    assert sorted(set(data["trained"])) == sorted(set(data["changed"])) == names[-MOST_CLUSTERS:]
    text, _ = TRANSFER.caption(material, data)
    assert text.startswith("The 14 largest of 20 clusters. Training is by GRPO. Gradients are sketches")
    assert text.endswith("Said.")
