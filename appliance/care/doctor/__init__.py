"""The doctor: looks at everything the box needs, and says of each thing that it is well, or how it is mended."""
