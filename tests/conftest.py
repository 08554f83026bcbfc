import pytest
from hypothesis import settings

settings.register_profile("shared machines", deadline=None)  # a slow moment is no failure
settings.load_profile("shared machines")


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The built-in world, seed 0, made once a test session (about a minute on two cores)."""
    from openrlhf_unlearn import cli

    folder = tmp_path_factory.mktemp("world")
    assert cli.main(["microworld", str(folder), "--seed", "0"]) == 0
    return folder
