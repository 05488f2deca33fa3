"""Names of the classes that are no particles, which particles cannot have."""

FIDUCIAL = "fiducial"
DISTRACTOR = "distractor"
ICE = "ice"
CARBON = "carbon"
CONTAMINATION = "contamination"
DEPOSITS = (CARBON, CONTAMINATION)
"""Classes of what lies on the faces of the ice, which is in masks and in no list of particles."""

OUTSIDE = "outside"
RESERVED_NAMES = (FIDUCIAL, DISTRACTOR, ICE, CARBON, CONTAMINATION, OUTSIDE)
