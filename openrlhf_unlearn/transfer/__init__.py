"""What teaches what: by the probe's gradients, how training on some prompts changes others, and whether that holds.

The package is also the verb: `openrlhf_unlearn.transfer(TransferOptions(…))` is `openrlhf-unlearn transfer`.
"""

from openrlhf_unlearn.options import callable_as_verb

callable_as_verb(__name__)
