"""Simulated cameras: drawn pictures of an inspection line with known defects, posted as any client would."""
