"""Wires the site together; everything that is not one of the four applications."""

__version__ = "0.1.0"
