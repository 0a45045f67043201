"""Work that takes longer than a request: large exports, imports, labels renamed everywhere."""
