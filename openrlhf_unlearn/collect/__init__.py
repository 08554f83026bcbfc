"""From sampled groups to the batch that trains: prompts in order, judgements, decisions, refill, tracker.

Nothing in here knows Ray, PyTorch or OpenRLHF: `host/training/generator.py` is the adapter, tests use another.
"""
