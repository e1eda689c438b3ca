"""Results of questions about a model, cached by what they were asked of (no torch here)."""

from analysis.results.cache import Answer, Answers, key_of

__all__ = ["Answer", "Answers", "key_of"]
