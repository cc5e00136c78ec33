"""What must not grow."""
