"""Pictures as PNG: instances, the patches that a filter answers to, weights, feature maps; all from cached answers.

``addresses`` writes the links that a page holds, ``routes`` answers them, ``patches`` knows what part of an instance a
position sees, ``draw`` makes the pixels.
"""

from dashboard.pictures.routes import install

__all__ = ["install"]
