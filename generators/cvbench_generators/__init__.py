"""The built-in generators of cvbench, registered through entry points as a stranger's would be."""
