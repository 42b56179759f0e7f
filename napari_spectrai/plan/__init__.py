"""Planning of a training before it starts: split, number of samples, memory. Nothing here imports torch."""
