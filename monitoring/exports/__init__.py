"""Pictures and boxes on their way to training, in the formats of the field; written while they are sent."""

from monitoring.exports.archive import FORMATS, export_zip
from monitoring.exports.selection import Selection, Wanted, of_dataset, of_session

__all__ = ["FORMATS", "Selection", "Wanted", "export_zip", "of_dataset", "of_session"]
