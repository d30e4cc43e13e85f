"""Where the jobs of a plan are done: local worker processes."""
