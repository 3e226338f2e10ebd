"""`assay studio`: teaching, testing and looking inside a network in the browser, without code."""
