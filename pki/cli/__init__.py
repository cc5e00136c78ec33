"""The `appliance-pki` command: reads words, prints what happened, ends with a documented code."""
