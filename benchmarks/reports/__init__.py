"""Shows what was measured: tables, result files, comparisons, the page and the picture."""
