"""Measures: clocks and their summaries, processes, the machine and its limits, and whether results are right."""
