"""Marshmallow schemas of request bodies: what a client may say, cast and checked in one place."""
