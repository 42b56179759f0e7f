"""Data sets for training: cubes divided, prepared, pooled and sampled."""
