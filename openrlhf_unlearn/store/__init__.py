"""The run directory and everything that rests on disk: names, schemas, readers, writers, locks."""
