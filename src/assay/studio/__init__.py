"""A studio in the browser: `assay studio`."""
