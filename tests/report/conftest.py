"""One run with everything that a report can show but comparisons; tests only read it."""

import pytest

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.run_dir import RunDir
from tests.report.worlds import classify, whole_run


@pytest.fixture(scope="package")
def run(tmp_path_factory) -> RunDir:
    run = whole_run(tmp_path_factory.mktemp("whole") / "run")
    classify(run)
    return run


@pytest.fixture(scope="package")
def material(run) -> Material:
    return Material([run])
