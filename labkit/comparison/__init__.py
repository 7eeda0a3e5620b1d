"""Several models on the same photos: `labkit compare` and `notebooks/compare.ipynb`.

It stands on `report` and on `models`; only `grading` and `cli` may import it.
"""
