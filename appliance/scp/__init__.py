"""The DICOM door: receives by DIMSE (PS3.7), keeps by the archive, answers."""
