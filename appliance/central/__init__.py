"""The centre: takes what boxes send, loads it into databases, and confirms what is durable there."""
