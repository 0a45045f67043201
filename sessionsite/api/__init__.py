"""REST of the site as a whole: its schema, its documentation page, its health."""
