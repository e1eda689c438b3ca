"""Subjects in which a known cue decides the class: whoever explains their predictions has to find it.

Each file names its cue (``CUE``), and ``marked()`` lists the instances whose class the cue decides. They train in a few
seconds, and give the same network each time.
"""
