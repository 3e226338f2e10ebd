"""Counts of n-grams, and the probabilities that follow from them; a classical model and a network ask them."""
