"""Training in several processes or on several machines: how they meet, start, and start again."""
