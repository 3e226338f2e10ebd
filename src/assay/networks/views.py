"""How many views of an image an answer may be the mean of: itself, mirrored, upside down, both; and these turned."""

VIEWS = (1, 2, 4, 8)
