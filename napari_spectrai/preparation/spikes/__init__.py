"""How spikes are found: what explains the spectra, and what stands out."""
