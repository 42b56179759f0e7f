"""What a training will be, before it begins: which pixels are which part, how many samples, how much memory. Nothing imports torch."""
