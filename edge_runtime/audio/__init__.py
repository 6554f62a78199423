"""Files and streams to mono samples at 16 kHz."""
