"""The protocols of the Virtual Observatory: what the archive holds in the words of its standards."""
