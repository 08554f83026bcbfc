"""Normalise: a formula, LaTeX, Unicode or plain text, as a short list of nodes. reader.py has the way in."""
