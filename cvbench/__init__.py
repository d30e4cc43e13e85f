"""cvbench: does this synthetic data help my computer-vision model?"""

__version__ = "0.1.0"
