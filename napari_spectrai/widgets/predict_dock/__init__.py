"""What the Predict dock is made of."""
