"""Weights: which there are, where they lie, how they are fetched and verified. Needs no torch."""
