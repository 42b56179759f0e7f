"""What the Spectra dock is made of."""
