"""Moving in: the tables of an older Django app become the platform's records, matched with the chain."""
