"""Property tests here have no deadline per example: a busy machine must not fail a pure function."""

from hypothesis import settings

settings.register_profile("criteria", deadline=None)
settings.load_profile("criteria")
