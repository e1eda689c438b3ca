"""Answers to questions about a model, kept on disk under a digest of all that they depend on."""

from analysis.results.cache import Answer, Answers, key_of
from analysis.results.partial import Partials

__all__ = ["Answer", "Answers", "Partials", "key_of"]
