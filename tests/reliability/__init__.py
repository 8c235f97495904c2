"""What the project's own checks find: mistakes that were planted on purpose, and how many of them are caught."""
