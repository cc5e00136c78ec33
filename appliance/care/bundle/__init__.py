"""The bundle for support: how a box is, without patients and without secrets."""
