"""Found against planted groups, counted by hand."""

import pyarrow as pa

from openrlhf_unlearn.store.run_dir import write_table
from openrlhf_unlearn.worlds.agreement import agreement

PLANTED = [
    ("a", "easy", "known", "easy"),
    ("b", "learnable", "learnable", "learnable"),
    ("c", "learnable", "learnable", "easy"),
    ("d", "unlearnable", "beyond", "unlearnable"),
    ("e", "unlearnable", "random", "mixed"),
    ("f", "no_reward", "wrong_label", "unlearnable"),
    ("g", "no_reward", "verifier", None),
]


def tables(folder, *names: str):
    rows = [dict(zip(("prompt_id", "group", "cause"), row, strict=True)) for *row, _ in PLANTED]
    write_table(folder / "truth.parquet", pa.Table.from_pylist(rows).select(["prompt_id", *names]))
    found = [{"prompt_id": name, "group": group} for name, *_, group in PLANTED if group]
    write_table(folder / "found.parquet", pa.Table.from_pylist(found))
    return agreement(folder / "truth.parquet", folder / "found.parquet")


def test_groups_and_causes_are_counted(tmp_path):
    found = tables(tmp_path, "group", "cause")
    assert (found.precision("learnable"), found.recall("learnable")) == (1.0, 0.5)
    assert (found.precision("unlearnable"), found.recall("unlearnable")) == (0.5, 0.5)
    assert (found.n_prompts, found.n_wrong) == (7, 2)  # neither mixed nor unseen is wrong
    text = "\n".join(found.lines())
    assert "wrong_label" in text and found.causes["verifier", "not seen"] == 1


def test_a_truth_without_causes_is_read_too(tmp_path):
    found = tables(tmp_path, "group")
    assert not found.causes and "by planted cause" not in "\n".join(found.lines())
    assert found.n_wrong == 2
