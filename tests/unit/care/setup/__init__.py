"""Setting a machine up: the parts that touch nothing."""
