"""Options that the verbs which grade share."""

from openrlhf_unlearn.options import option

ANSWER_FORMAT = option("how our grader finds answers; default: the run's, else auto", None)
WORKERS = option("processes that grade", 2)
GRADING_WORKERS = option("processes that grade", 2)  # a field takes the name of the one attribute that it is given
TIMEOUT_S = option("deadline of an answer", 5.0)
