"""DIMSE as a client: what this appliance sends to others."""
