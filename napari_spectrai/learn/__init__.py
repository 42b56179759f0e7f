"""Learning: data into batches, training as a stream of events, prediction by tiles, honest comparison. Needs torch."""

import os

# Waiting threads of torch spin, and beside any other busy process (napari among them) they take the cores from those that
# work: two trainings at once on two cores took 34 s instead of 8 (alone 5). Has effect where torch is not loaded yet.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
