"""Copies of an installation on another disk: taken while the rooms run, verified, and put back."""
