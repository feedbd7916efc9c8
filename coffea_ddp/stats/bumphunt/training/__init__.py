"""How the network of the bump hunt is made."""
