"""Parts of the Spectra dock."""
