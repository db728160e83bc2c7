"""Table 1 and Fig. 8: the same part of different objects covered."""
