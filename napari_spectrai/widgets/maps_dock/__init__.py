"""What the Maps dock is made of."""
