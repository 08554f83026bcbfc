"""What training writes, a file a step: what every prompt earned, what was clipped, how likely it was, some rollouts."""

import pyarrow as pa

from openrlhf_unlearn.store.columns import flags, integers, lists, numbers, texts
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.table import StepTable


class Rewards(StepTable, folder="rewards"):
    """A row for each visit of a prompt as sampled, and one for what of it trained."""

    prompt_id = texts(core=True)
    processed = flags(core=True)  # False: as sampled; True: what trained
    n = integers(core=True)
    n_positive = integers(core=True)
    pass_rate = numbers()  # share of positives; of an adaptive visit, of its first wave: unbiased
    mean_reward = numbers(core=True)
    std_reward = numbers()
    n_replayed = integers()
    n_no_answer = integers()
    n_timeout = integers()
    n_error = integers()
    accepted = flags()
    reason = texts()
    wrong_answers = lists(pa.string())  # keys (grading/answer_key.py) of its commonest wrong answers
    wrong_counts = lists(pa.int32())  # and how often each was given
    n_hinted = integers()  # rollouts with a hint, besides n; null: of a version without hints
    n_hinted_positive = integers()


class Clipping(StepTable, folder="clipping"):
    prompt_id = texts(core=True)
    positive_clip_fraction = numbers(core=True)  # of response tokens; null without a positive rollout
    negative_clip_fraction = numbers(core=True)
    n_positive = integers(core=True)
    n_negative = integers(core=True)


class Likelihood(StepTable, folder="likelihood"):
    prompt_id = texts(core=True)
    n_positive = integers(core=True)
    reference_log_likelihood = numbers(core=True)  # of positive rollouts, a token, in nats; null without any
    policy_log_likelihood = numbers()  # the same under the policy that is about to train
    train_inference_gap = numbers()  # mean |trainer's - engine's log-prob| a token; null if unknown
    replay_gap = numbers()  # the same of replayed rollouts, whose engine had an older policy


class TrainingRollouts(Graded, StepTable, folder="rollouts"):
    """The rollouts that --unlearn.save_rollouts keeps."""

    positive = flags()  # by the run's rule; of runs without this column: reward > POSITIVE_THRESHOLD


STEP_KINDS = (Rewards, Clipping, Likelihood, TrainingRollouts)


def has_steps(run: RunDir) -> bool:
    return any(run.steps(kind.folder) for kind in STEP_KINDS)


def drop_after(run: RunDir, step: int) -> int:
    """Delete the rows of all steps later than `step`, as a resume from it must; returns how many files went."""
    late = [run.step_file(kind.folder, s) for kind in STEP_KINDS for s in run.steps(kind.folder) if s > step]
    for path in late:
        path.unlink()
    return len(late)
