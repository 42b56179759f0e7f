"""Parts of the Preprocess dock."""
