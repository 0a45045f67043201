"""REST of monitors, pictures, boxes and datasets: parse, authorise, call one verb, render."""
