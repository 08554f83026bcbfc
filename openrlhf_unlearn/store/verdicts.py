"""What grading can say of a response, which the store and the grading processes read (no imports)."""

VERDICTS = ("correct", "wrong", "no_answer", "timeout", "error", "bad_label")
POSITIVE_THRESHOLD = 0.5  # a rollout is positive if its score, or else its reward, before any shaping, is above this
