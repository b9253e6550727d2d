"""A handful of light curves made by formulas, for people who want to see the service before they have data in it."""

from photseries.demo.filling import fill
from photseries.demo.stars import STARS, Star

__all__ = ["STARS", "Star", "fill"]
