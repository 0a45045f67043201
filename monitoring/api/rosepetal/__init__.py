"""The Rosepetal wire: monitors, pictures, boxes and datasets as its published pages describe them.

`reading` and `shapes` need no request and serve every lane; the views in `monitors`, `images` and
`datasets` parse, authorise, call one verb and answer. docs/rosepetal.md says what was decided where the
published pages are silent.
"""
