"""Pages and plots out of the files of results."""
