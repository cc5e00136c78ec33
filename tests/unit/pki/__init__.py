"""The locksmith."""
