"""``python -m cvbench``."""

from cvbench.cli import main

if __name__ == "__main__":
    main()
