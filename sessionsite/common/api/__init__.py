"""The ground of REST: one error shape, rights per action, keyset pages, strict bodies, versions.

Nothing is imported here: the framework loads some of these modules while it is being imported itself.
"""
