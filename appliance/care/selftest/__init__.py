"""The self-test: a synthetic study goes the whole way, from the door to each sink's word, and is removed again."""
