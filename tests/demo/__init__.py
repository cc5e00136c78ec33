"""Demonstrations: the product with real servers around it, telling what it does."""
