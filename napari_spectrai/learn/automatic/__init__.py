"""The automatic choice: candidates compared by cross-validation, the best or a blend of them refitted on everything."""
