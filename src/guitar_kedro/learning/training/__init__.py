"""Training of a phase in one process: its recipe, its loop, and the state from which it resumes."""
