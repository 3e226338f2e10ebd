"""Trained networks behind HTTP: `assay serve`."""
