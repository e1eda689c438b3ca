"""What a training script imports: the recorder and the statistics it streams (needs torch)."""

from analysis.recording.filters import Responses, Staleness, responses
from analysis.recording.perplexity import histogram, perplexity
from analysis.recording.recorder import Recorder
from analysis.recording.similarity import AllPairs, TrackedPairs, similarity
from analysis.recording.tallies import Tallies, Tally

__all__ = [
    "AllPairs",
    "Recorder",
    "Responses",
    "Staleness",
    "Tallies",
    "Tally",
    "TrackedPairs",
    "histogram",
    "perplexity",
    "responses",
    "similarity",
]
