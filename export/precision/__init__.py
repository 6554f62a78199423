"""fp32 graphs → smaller or faster ones: ``convert`` by a ``Recipe``, ``sensitive`` where that loses too much."""
