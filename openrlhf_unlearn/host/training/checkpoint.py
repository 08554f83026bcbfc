"""Where the generator's state lies beside OpenRLHF's checkpoint, and when it is written.

The host asks for the loader's state at every step and saves it at few. So it gets a reference of a few bytes, and the
state itself is written only for a step whose checkpoint is saved:

    CKPT/_unlearn/state-000012-1f3a….npz       written by the generator, whole, before the host's checkpoint
    CKPT/_actor/global_step12/state-….npz      the same file, linked by rank 0 once the host's is there

Whenever a run is killed, the checkpoint that `latest` names has its state in one of the two. The host deletes the
folder of an old checkpoint and ours with it; `_unlearn` keeps only what may still be linked.
"""

import os
import re
import secrets
import shutil
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.state import VERSION, read_state, write_state

_FILE = re.compile(r"state-(\d{6,})-[0-9a-f]{8}\.npz")


def check_run(state_run_id: str | None, run_id: str | None) -> None:
    """Refuse a checkpoint of another run than the run directory's. Ids that are not known do not differ."""
    if state_run_id and run_id and state_run_id != run_id:
        raise UserError(
            f"the checkpoint belongs to run {state_run_id}, the run directory to run {run_id}: give the --ckpt.path of "
            "this run, or the --unlearn.run_dir of that one"
        )


class StateFiles:
    """The state files of one run's checkpoints in `folder`, which is --ckpt.path.

    `ahead`: by how many batches the generator may be ahead of the checkpoint that is being saved.
    """

    def __init__(self, folder: str | Path, run_id: str | None = None, ahead: int = 0):
        self.staged = Path(folder) / "_unlearn"
        self.saved = Path(folder) / "_actor"
        self.run_id = run_id
        self.ahead = ahead
        self.launch = secrets.token_hex(4)  # a step that is trained again after a resume is another file

    def reference(self, step: int) -> dict:
        """What the host keeps in its checkpoint of the step."""
        return {"version": VERSION, "run_id": self.run_id, "step": step, "file": f"state-{step:06d}-{self.launch}.npz"}

    def write(self, state: dict, step: int) -> None:
        path = self.staged / self.reference(step)["file"]
        if not path.exists():
            write_state(path, state, step, self.run_id)
            self._clean(step)

    def _clean(self, step: int) -> None:
        """Remove what no checkpoint can ask for any more, and what a killed process left unfinished."""
        for path in self.staged.iterdir():
            match = _FILE.fullmatch(path.name)
            if not match or int(match[1]) < step - self.ahead:
                path.unlink(missing_ok=True)

    def place(self, tag: str, reference: dict) -> None:
        """Link the state into the folder of the host's checkpoint, for one process to call after the host's save."""
        target = self.saved / tag / reference["file"]
        if not target.parent.is_dir() or target.exists():
            return
        source = self.staged / reference["file"]
        if not source.exists():
            raise UserError(
                f"{source} is missing: the sampler's state of step {reference['step']} cannot be seen from the machine "
                "that saves the checkpoint; --ckpt.path must be a folder that all machines share"
            )
        aside = target.with_suffix(".part")
        aside.unlink(missing_ok=True)
        try:
            os.link(source, aside)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, aside)
        os.replace(aside, target)
        for path in target.parent.glob("state-*.npz"):  # of the same step, before a resume
            if path != target:
                path.unlink()

    def read(self, reference) -> dict:
        """The state that a checkpoint's reference names. UserError if it is missing, too old, or of another run."""
        if not isinstance(reference, dict):
            raise UserError(
                "this checkpoint was saved by an older version of the plugin, whose state this one does not read; go "
                "on with that version, or start anew with another --ckpt.path and --unlearn.run_dir"
            )
        check_run(reference["run_id"], self.run_id)
        found = [*self.saved.glob(f"*/{reference['file']}"), self.staged / reference["file"]]
        state, _ = read_state(found[0])
        if len(found) == 1:  # the run was killed before it was linked
            self.place((self.saved / "latest").read_text().strip(), reference)
        return state
