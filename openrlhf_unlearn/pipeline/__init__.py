"""Verbs that are composed of others: analyze, models, curriculum, regrade."""
