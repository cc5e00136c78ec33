"""The nouns and rules of the house, pure: no files, no network, no clock."""
