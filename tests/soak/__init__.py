"""Long drains: what must stay flat however long the queue is."""
