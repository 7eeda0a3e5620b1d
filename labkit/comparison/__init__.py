"""Several models on the same photos: `labkit compare` and `notebooks/compare.ipynb`."""
