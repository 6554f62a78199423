"""One experiment: a corpus, a protocol, the branches and their fusion, repeated; reported in a folder."""
