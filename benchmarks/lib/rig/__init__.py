"""A simulated telescope and what becomes of its events on a real server; benchmarks/rig_night.py runs it."""
