"""Whether explanations depend on what the network has learnt, and lie on what it goes by."""
