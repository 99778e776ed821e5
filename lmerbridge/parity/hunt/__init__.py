"""Hunt: designs on which an engine is wrong, found by search and made small."""
