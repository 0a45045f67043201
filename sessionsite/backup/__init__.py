"""One file that holds a server's data, made while it records (making.py), and the way back (restoring.py)."""
