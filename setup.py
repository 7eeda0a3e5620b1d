"""The kit's photos and their outlines stand in data/ and travel inside the package; all else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["labkit*"]), "labkit.data"], package_dir={"labkit.data": "data"})
