"""Simulated light curves for trying the service without own data."""

from photseries.server.demo.filling import fill
from photseries.server.demo.stars import STARS, Star

__all__ = ["STARS", "Star", "fill"]
