"""Data sets for training: cubes are split, prepared, pooled and sampled."""
