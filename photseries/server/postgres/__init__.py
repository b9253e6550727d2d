"""The embedded PostgreSQL server and the process that keeps it running."""
