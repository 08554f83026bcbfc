"""The notebook runs from its first cell to its last, and holds what it says."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "from_run_to_labels.ipynb"


def test_it_goes_from_an_imported_run_to_labels_and_similarity(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("torch")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are left out of the repository"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    groups, similarity = next(text for text in shown if text.startswith("{'easy'")), shown[-2]
    assert "'learnable': 3" in groups and "'unlearnable': 3" in groups and "'no_reward': 3" in groups
    assert similarity.count("ok") == 6 and similarity.count("too few rollouts") == 3
    assert "report.html" in shown[-1]
