"""Answers of a trained network: predictions, decisions, and Grad-CAM maps."""
