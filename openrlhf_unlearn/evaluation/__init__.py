"""pass@1 of prompts, by samples that are drawn by engines and graded."""
