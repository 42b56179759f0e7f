"""Several processes that train one network together, each on a device of its own."""
