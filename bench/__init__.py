"""Measurements of the service, on data that they make themselves: ``python -m bench`` lists them."""
