"""How synthetic samples compare with real ones before anything is trained on them."""

PROBE_VERSION = 2  # raise it when the probe learns otherwise
