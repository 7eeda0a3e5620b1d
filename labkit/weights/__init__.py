"""Weights: which there are, where they lie, how they are fetched and verified. Needs no torch.

`models` loads what is found here; reports and grading know the hashes.
"""
