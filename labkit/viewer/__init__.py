"""The interactive viewer: the same in a notebook, in Colab and in a report without kernel and network."""

from labkit.viewer.explore import explore
from labkit.viewer.prompt_widget import prompt
from labkit.viewer.viewer import show

__all__ = ["explore", "prompt", "show"]
