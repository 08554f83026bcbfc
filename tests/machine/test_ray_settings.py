"""What Ray's processes are told on a machine without a GPU."""

import pytest

from openrlhf_unlearn.machine.ray_settings import ray_init_kwargs

NAME = "VLLM_ENABLE_V1_MULTIPROCESSING"


@pytest.mark.parametrize(("given", "told"), [(None, "0"), ("1", "1")])
def test_an_engine_computes_where_it_schedules_unless_the_user_wants_it_otherwise(monkeypatch, given, told):
    monkeypatch.delenv(NAME, raising=False)
    if given:
        monkeypatch.setenv(NAME, given)
    assert ray_init_kwargs()["runtime_env"]["env_vars"][NAME] == told
