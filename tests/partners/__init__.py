"""Programs to test against: the appliance itself as real processes, and other people's tools."""
