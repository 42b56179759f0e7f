"""What the Preprocess dock is made of."""
