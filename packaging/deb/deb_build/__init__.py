"""Builds the Debian packages: fetches by hash, makes a clean root, builds inside it without a network, and checks.

Standard library only: it runs before anything is installed, and a part of it inside the clean root.
"""
