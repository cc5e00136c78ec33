"""Backup and restoration."""
