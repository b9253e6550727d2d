"""The server: everything that `pip install photseries` leaves out and `photseries[server]` brings."""
