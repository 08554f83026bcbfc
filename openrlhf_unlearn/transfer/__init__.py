"""What teaches what: by the probe's gradients, how training on some prompts changes others, and whether that holds."""
