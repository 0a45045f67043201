"""Pictures and boxes that come from elsewhere: read, compared with what is there, and only then taken in."""
