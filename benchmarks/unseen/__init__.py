"""How the speech branch answers to voices, rooms and corpora that it never met."""
