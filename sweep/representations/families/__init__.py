"""The families of representations, one module each; the registry finds them."""
