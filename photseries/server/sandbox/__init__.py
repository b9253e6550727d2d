"""The processes that read untrusted bytes: pool, fork server, confinement, wire format."""
