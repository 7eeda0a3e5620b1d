"""The interactive view of results in a notebook."""

from labkit.viewer.viewer import show

__all__ = ["show"]
