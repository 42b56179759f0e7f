"""HTML pages written from run folders and evaluations; no torch."""
