"""The build of the OHIF viewer."""
