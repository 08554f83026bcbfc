"""Adapters between OpenRLHF's trainer and the pure rooms (collect, filters, grading)."""
