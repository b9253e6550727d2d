"""HTTP: the route table, the base handler with the one error body, and handlers that call the archive."""
