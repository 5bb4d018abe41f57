"""The semantic difference of two revisions, planned offline."""
