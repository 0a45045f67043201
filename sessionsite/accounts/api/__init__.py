"""REST of organisations, members, tokens, tickets and the audit trail."""
