"""The containers of sound files: where their samples are, whatever their headers state."""
