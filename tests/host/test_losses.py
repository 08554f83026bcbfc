from types import SimpleNamespace

import pytest

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.host.losses import LOSSES, apply_loss


def host_args(loss, **changed):
    return SimpleNamespace(
        unlearn=SimpleNamespace(loss=loss),
        actor=SimpleNamespace(eps_clip=0.2, eps_clip_low_high=changed.get("eps"), entropy_coef=None),
        algo=SimpleNamespace(
            kl=SimpleNamespace(use_loss=False, estimator="k1", init_coef=changed.get("init_coef", 0.01))
        ),
    )


def test_presets_set_the_hosts_flags():
    args = host_args("clip_higher")
    apply_loss(args, [])
    assert args.actor.eps_clip_low_high == (0.2, 0.28)
    assert (args.algo.kl.use_loss, args.algo.kl.estimator, args.algo.kl.init_coef) == (True, "k3", 1e-4)
    args = host_args("no_kl")
    apply_loss(args, [])
    assert (args.algo.kl.use_loss, args.algo.kl.init_coef) == (False, 0.0)


def test_as_given_touches_nothing():
    args, stock = host_args("as_given"), host_args("as_given")
    assert apply_loss(args, []) == {}
    assert args == stock


@pytest.mark.parametrize("words", [["--algo.kl.init_coef", "0.01"], ["--algo.kl.init_coef=0.01"]])
def test_a_contradiction_is_an_error_that_names_both(words):
    with pytest.raises(UsageError, match="--algo.kl.init_coef to 0.0, the command line to 0.01"):
        apply_loss(host_args("no_kl"), words)


def test_an_explicit_flag_that_agrees_is_fine():
    apply_loss(host_args("clip_higher", eps=[0.2, 0.28]), ["--actor.eps_clip_low_high", "0.2", "0.28"])


def test_the_symmetric_flag_contradicts_too():
    with pytest.raises(UsageError, match="drop --actor.eps_clip"):
        apply_loss(host_args("clip_higher"), ["--actor.eps_clip", "0.1"])


def test_an_unknown_name_lists_the_presets():
    with pytest.raises(UsageError, match="as_given, baseline, clip_higher, maxrl, discrepancy_constrained, no_kl"):
        apply_loss(host_args("dapo"), [])
    assert set(LOSSES) == {"as_given", "baseline", "clip_higher", "maxrl", "discrepancy_constrained", "no_kl"}
