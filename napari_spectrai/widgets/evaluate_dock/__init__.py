"""What the Evaluate dock is made of."""
