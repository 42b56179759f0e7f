"""The automatic choice: candidates are compared by cross-validation, and the best or a blend is refitted on all samples."""
