"""The whole paper in one document: what was trained and drawn, ours beside the paper's, and which claims hold."""
