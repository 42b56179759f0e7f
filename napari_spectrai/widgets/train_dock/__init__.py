"""What the Train dock is made of."""
