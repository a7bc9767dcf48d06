"""Hypothesis for the whole folder."""

from hypothesis import settings

# No deadline per example: on a machine that does other things too, a slow example is not a wrong one.
settings.register_profile("tpuserve", deadline=None, print_blob=True)
settings.load_profile("tpuserve")
