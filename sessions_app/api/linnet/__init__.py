"""The Linnet wire: annotation sessions for clients that know /session/; see docs/linnet.md."""
