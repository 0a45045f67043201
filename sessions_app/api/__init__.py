"""REST of sessions and their journals."""
