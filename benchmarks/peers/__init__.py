"""Computes one op in every way that a row compares: our own, and those of the other libraries."""
