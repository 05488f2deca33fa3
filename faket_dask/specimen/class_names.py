"""Names of the classes that are no particles, which particles cannot have."""

VESICLE = "vesicle"
SHEET = "sheet"
FIDUCIAL = "fiducial"
DISTRACTOR = "distractor"
RESERVED_NAMES = (VESICLE, FIDUCIAL, SHEET, DISTRACTOR)
