"""The locksmith: makes and checks the appliance's certificates. It shares files with it, never code."""
