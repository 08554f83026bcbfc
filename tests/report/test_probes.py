"""What the report takes from probes."""

import numpy as np

from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.probes import outdated, outliers, separation
from openrlhf_unlearn.store.prompts import Learnability


def test_the_answer_takes_the_noise_out(material):
    found = separation(material)
    assert found["kind"] == found["mean_kind"] == "corrected" and found["auc"] == 1
    said = " ".join(say.text for say in answer(material, {}, found, None, []))
    assert "The gradients tell them apart: the mean cosine to all others (the noise of few rollouts taken out)" in said


def test_outliers_are_the_unlearnable(material):
    marked = outliers(material)
    assert marked[material.groups == "unlearnable"].mean() > 0.4
    assert not marked[np.isin(material.groups, ("easy", "learnable"))].any()


def test_a_probe_of_older_labels_is_said_to_be(run):
    assert outdated(Material([run])) == {}
    table, changed = Learnability.read(run), Material([run])
    changed.learnability = table.replacing(group=["mixed" if group == "easy" else group for group in table.group])
    assert set(outdated(changed)) == {"initial", "midtrained", "final"}
