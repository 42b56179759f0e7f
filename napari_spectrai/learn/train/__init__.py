"""Training: the loop, its validation, checkpoints and events."""
