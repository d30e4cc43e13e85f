"""The built-in tasks of cvbench, registered through entry points as a stranger's would be."""
