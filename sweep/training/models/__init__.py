"""The models behind the front-ends, one module each; the registry finds them."""
