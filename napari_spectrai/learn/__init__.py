"""Machine learning: data sets, training as a stream of events, tiled prediction, evaluation. Needs torch."""

import os

# Waiting threads of torch spin, and take the cores from working threads if another process is busy (such as napari):
# two trainings at once on two cores took 34 s instead of 8 (5 s for one alone). Only effective before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
