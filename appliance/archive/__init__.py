"""The strong room: files, the index beside them, and the outbox; the only owner of the disk."""
