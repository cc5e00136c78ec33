"""The places deliveries go to, all behind one contract."""
