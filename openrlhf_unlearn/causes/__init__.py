"""Why a prompt was not learned: a posterior over causes with opposite remedies, from what a run has left behind.

For each cause: how it comes about, the evidence that it leaves, and the null, the case in which it must not be said.

verifier        Right answers are graded wrong. A lenient grader takes them, or samples end without a verdict.
                Null: no sample that was graded wrong has the label's value in another form.
wrong_label     The label is not the answer. Other prompts of the kind were learned, so the samples agree ever more on
                one other answer, and a second model gives the same one. Null: the model has settled on one answer for a
                kind of prompts that it does not solve (a habit, not knowledge): its neighbours by wording were not
                learned either.
guessable       Few answers are possible, and the label is hit as often as by the model's answers to other prompts.
                Null: such answers are rare (below 1 %), or the hits are more than they explain.
never_rewarded  No sample was ever right and nothing else explains it: nothing could be learned from it. Null: a hit.
rising          The pass rate rose through training and had not come to rest. Null: a slope that chance gives to a
                constant rate (|z| < 2).
forgotten       Solved for a while and lost again. Null: a best stretch that chance gives to a constant rate.
beyond          The label follows a rule that this model cannot use, another one can. Hits come by chance, stay flat,
                and its kind was not learned. Null: without a second model that does it, it looks like the next.
random_label    No model asked reproduces the label: as beyond, and it follows no rule, or one beyond them all; which
                of the two, models cannot tell. Null: a second model that is not shown to be able (it solves few of
                the prompts that the first does not) says nothing.

`undecided` is no cause but what is said when none reaches `SURE`: then the likeliest two and what would settle it.

The posterior is a logistic regression on a few kinds of evidence, each a number cut into bins (evidence.py): a factor
for each bin and cause, fitted for all kinds together, so that what two of them say together is not counted twice, by
benchmarks/fit_causes.py on prompts whose cause was planted, and kept in likelihoods.json. Evidence that a run lacks has
no factor: each kind adds, none is needed. How common the causes are is estimated anew from each run's own prompts, by
EM with the fitted shares as a prior (Saerens et al. 2002), since one data set has 20 % wrong labels and another none.
That prior is strong: prompts of one kind share their cause, so that a run's shares are known from its kinds, not its
prompts.

The same tables serve a label audit without training (audit.py); early.py says, while training runs, how likely a prompt
is not to be learned by its end.
"""

from openrlhf_unlearn.store.run_dir import CAUSES as CAUSES

UNDECIDED = "undecided"
ALIKE = ("beyond", "random_label")  # to all evidence but a second model's
SURE = 0.6  # posterior from which a cause is said
