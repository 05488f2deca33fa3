"""Names of the classes that are no particles, which particles cannot have."""

VESICLE = "vesicle"
SHEET = "sheet"
FIDUCIAL = "fiducial"
DISTRACTOR = "distractor"
ICE = "ice"
CARBON = "carbon"
CONTAMINATION = "contamination"
RESERVED_NAMES = (VESICLE, FIDUCIAL, SHEET, DISTRACTOR, ICE, CARBON, CONTAMINATION)
