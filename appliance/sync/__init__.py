"""The room that empties the outbox: claim, deliver, settle, for each sink on its own."""
