"""Speech emotion recognition (the paper's SER), from the speech encoder's hidden states."""
