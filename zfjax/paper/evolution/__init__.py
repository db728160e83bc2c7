"""Fig. 4: features during training, and how soon each layer settles."""
