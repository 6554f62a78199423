"""How long each part takes, and how far from the limit of the machine."""
