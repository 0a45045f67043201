"""How Django writes what no page of ours writes itself: times with their zone, as in the admin."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
