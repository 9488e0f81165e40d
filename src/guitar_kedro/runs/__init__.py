"""What goes on between runs: what is finished and still valid, who runs, what each run did, and what may go."""
