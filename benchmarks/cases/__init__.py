"""Declares what is measured: single ops, whole workloads, overheads, growth, and the tasks of a run."""
