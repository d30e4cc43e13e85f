"""How synthetic samples compare with real ones before anything is trained on them."""
