"""What grading can say of a response: one list, which the store and the grading processes read (no imports)."""

VERDICTS = ("correct", "wrong", "no_answer", "timeout", "error", "bad_label")
