"""Detection of spikes: statistics of the spectra, and the search for deviations from them."""
