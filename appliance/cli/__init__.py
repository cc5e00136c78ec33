"""The verbs: each reads the configuration, opens what it needs, and ends with a documented exit code."""
