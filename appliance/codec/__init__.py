"""Decoding and drawing in child processes that may hang, crash or grow without harm to anything else."""
