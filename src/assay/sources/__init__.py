"""From what a user points at to `Records`: one file a format, and all checking of what comes from outside."""
