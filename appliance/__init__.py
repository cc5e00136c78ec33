"""The DICOM edge appliance: receives, keeps, shows and forwards medical images."""

__version__ = "0.1.0"
