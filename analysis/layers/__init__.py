"""What a layer's filters detect, what nobody detects and what can go (DeepEyes, Pezzotti et al., IEEE VIS 2017).

``findings``, ``heatmap``, ``health``, ``profiles``, ``prune``, ``statistics`` and ``undetected`` need no torch; the
other modules answer questions in the worker of a subject.
"""
