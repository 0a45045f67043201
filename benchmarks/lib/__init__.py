"""What the benchmark programs share: servers, load, readers, statistics, results."""
