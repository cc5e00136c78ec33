"""Care for an installation: setting it up, looking it over, keeping a copy, trying it out, asking for help."""
