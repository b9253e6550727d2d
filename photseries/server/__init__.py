"""The server: the part of the package that needs ``photseries[server]``."""
