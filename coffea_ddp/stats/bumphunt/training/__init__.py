"""Training of the bump hunt's network."""
