"""How reliable the library is, in numbers: `python -m tests.reliability` prints a table.

Each module here has `report()`, which gives rows (what, tried, failures).
"""
