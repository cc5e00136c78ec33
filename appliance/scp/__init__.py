"""The DICOM door: associations are accepted here, objects received and passed to the archive."""
