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
    assert separation(Material([run])) and separation(changed) is None, "its means would be of other groups"


def test_numbers_of_rollouts_alone_are_not_said_to_tell():
    """One direction for all, 2 rollouts of the unlearnable and 24 of the learnable: nothing at equal numbers is known,
    and plain cosines differ by the noise alone."""
    from openrlhf_unlearn.report.answer import _gradients
    from openrlhf_unlearn.stats.auc import auc_with_interval

    rng = np.random.default_rng(0)

    def cosines(rollouts: int) -> np.ndarray:
        found = 1 + rng.normal(size=(9, 200)) * np.sqrt(3 / rollouts)
        return found @ np.ones(200) / np.linalg.norm(found, axis=1) / np.sqrt(200)

    found = auc_with_interval(cosines(2), cosines(24))
    about = {"kind": "plain", "mean_kind": "plain", "unlearnable": 0.5, "learnable": 0.9, "equal": None}
    assert found["low"] > 0.5 and "perhaps only by their numbers" in _gradients(about | found)[0]
