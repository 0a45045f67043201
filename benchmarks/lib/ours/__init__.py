"""Our own server as the benchmarks run it: the same `serve`, with one more topic or another handler."""
