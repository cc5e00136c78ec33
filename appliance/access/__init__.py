"""Who may look: accounts, sessions and tokens, in a database of their own."""
