"""The classical models that a network has to beat, a file each; `baseline.py` holds what they have in common."""
