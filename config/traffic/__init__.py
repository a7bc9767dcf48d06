"""Traffic of a stack: loads (`load.py`) and limits of their times (`objective.py`)."""
