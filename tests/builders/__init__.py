"""Makers of DICOM objects for tests; nothing binary is kept in the repository."""
