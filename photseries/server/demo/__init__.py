"""Simulated light curves for users who want to see the service before they have data in it."""

from photseries.server.demo.filling import fill
from photseries.server.demo.stars import STARS, Star

__all__ = ["STARS", "Star", "fill"]
