"""What every benchmark needs: clips, timing, and the files of results."""
