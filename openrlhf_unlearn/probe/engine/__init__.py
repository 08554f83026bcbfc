"""Gradients by prompt: rollouts packed, one backward pass, projected onto a subspace."""
