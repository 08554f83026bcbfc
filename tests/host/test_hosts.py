"""Every supported OpenRLHF: its bytes, its hooks, its parser, each version's own wheel."""

import hashlib
import os
from types import SimpleNamespace

import pytest

from openrlhf_unlearn.host.cpu.originals import ORIGINALS
from openrlhf_unlearn.host.cpu.rewrite import rewrite
from openrlhf_unlearn.host.hooks import NEWEST_HOST, TESTED_HOSTS
from openrlhf_unlearn.host.patching import Patch
from openrlhf_unlearn.host.plugin import engine_log_probs_flag
from tests.host import hosts
from tests.integration.stack import Training, check_run

HOSTS = pytest.mark.parametrize("version", TESTED_HOSTS)
OLDER = pytest.mark.long("the newest; of the others all that needs no launcher")
LONG_UNLESS_NEWEST = pytest.mark.parametrize(
    "version", [pytest.param(name, marks=[] if name == NEWEST_HOST else OLDER) for name in TESTED_HOSTS]
)


@HOSTS
def test_the_known_sums_are_those_of_all_files_that_the_rewrite_changes(version):
    folder = hosts.unpacked(version) / "openrlhf"
    texts = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")}
    changed = {name for name, text in texts.items() if rewrite(text.decode()).encode() != text}
    assert {name: hashlib.sha256(texts[name]).hexdigest() for name in changed} == ORIGINALS[version]


@HOSTS
def test_the_patch_applies_and_reverts(version, tmp_path):
    folder = hosts.patched(version, tmp_path / "host") / "openrlhf"
    assert set(Patch(folder, version).states().values()) == {"patched"}
    assert Patch(folder, version).revert() == len(ORIGINALS[version]) + 1
    assert set(Patch(folder, version).states().values()) == {"original"}


CHECK = """
import sys
from openrlhf_unlearn.host import launcher
from openrlhf_unlearn.host.hooks import check_hooks, host_version
check_hooks()
print("hooks of", host_version())
sys.stderr = sys.stdout
print("exit code", launcher.main(sys.argv[1:]))
"""
FLAGS = (
    "--plugin unlearn --dry_run --actor.model_name_or_path some/model --data.prompt_dataset some/data "
    "--reward.remote_url reward.py --rollout.n_samples_per_prompt 8 --algo.advantage.estimator group_norm "
    "--vllm.num_engines 1 --unlearn.loss clip_higher"
)


@pytest.mark.slow
@LONG_UNLESS_NEWEST
def test_its_hooks_are_ours_and_its_parser_takes_our_flags(version, tmp_path):
    done = hosts.python(hosts.patched(version, tmp_path / "host"), CHECK, *FLAGS.split())
    assert f"hooks of {version}\n" in done.stdout, done.stderr[-3000:]
    assert "OpenRLHF and the plugins accept these flags" in done.stdout
    assert done.stdout.endswith("exit code 0\n")


@HOSTS
def test_a_missing_flag_is_named_as_this_version_has_it(version):
    """The flag with which the engines report log-probs, among those of the version's own launcher."""
    flag = "is_correction_level" if version == "0.11.2" else "is_correction_enable"
    off, on = ("off", "token") if version == "0.11.2" else (False, True)

    def asked(value):
        return engine_log_probs_flag(SimpleNamespace(algo=SimpleNamespace(advantage=SimpleNamespace(**{flag: value}))))

    assert asked(on) is None
    name = asked(off).split()[0]
    assert f'"{name}"' in (hosts.unpacked(version) / "openrlhf" / "cli" / "train_ppo_ray.py").read_text()


@HOSTS
def test_the_doctor_asks_for_what_this_version_pins(version):
    code = "from openrlhf_unlearn.host.doctor import pinned; print(sorted(pinned().items()))"
    said = hosts.python(hosts.unpacked(version), code).stdout
    known = {"0.10.4": ("0.19.1", "5.7.0", "0.22.1"), "0.11.0": ("0.19.5", "5.15.0", "0.27.1")}
    deepspeed, transformers, vllm = known.get(version, (f"0.19.{5 if version == '0.11.1' else 6}", "5.15.0", "0.29.0"))
    expected = {"deepspeed": deepspeed, "ray": "2.55.0", "transformers": transformers, "vllm": vllm}
    assert said == f"{sorted(expected.items())}\n"


TRAIN = "OPENRLHF_UNLEARN_TRAIN_HOSTS"


@pytest.mark.slow
@pytest.mark.skipif(
    "OPENRLHF_UNLEARN_TRAIN_HOSTS" not in os.environ, reason="OPENRLHF_UNLEARN_TRAIN_HOSTS=1 asks for it"
)
@HOSTS
def test_it_trains(version, tmp_path, world, monkeypatch):
    """Two steps on the CPU, of what is installed beside it (not of the versions that this host pins)."""
    monkeypatch.setenv("PYTHONPATH", str(hosts.patched(version, tmp_path / "host")))
    training = Training(world, tmp_path)
    data = tmp_path / "train.jsonl"
    data.write_text("".join((world / "train.jsonl").read_text().splitlines(keepends=True)[:64]))
    training.flags["data.prompt_dataset"] = data
    training(unlearn__filter="none")
    check_run(training)
    assert training.run.config().values["versions"]["openrlhf"] == version
