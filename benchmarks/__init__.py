"""Benchmarks of the server beside bare peers; docs/performance.md tells how to run them."""
