"""The kinds of figures, a file each: what its `data` holds, and how it is drawn."""
