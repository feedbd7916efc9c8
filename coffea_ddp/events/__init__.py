"""One chunk of events: its branches, and the objects that are selected in them."""
