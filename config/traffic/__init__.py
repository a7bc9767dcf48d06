"""Traffic of a stack: loads, limits of their times, the load that a stack expects, and its simulation.

`load.py` and `objective.py` read the words of LOAD and SLO, for the stack file (`expected.py`) and for
planner/. `simulation.py` reads the files that planner/ writes, and `verdict.py` says what they mean for a
stack.
"""
