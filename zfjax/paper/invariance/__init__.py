"""Fig. 5: features and answers under shift, scale and rotation."""
