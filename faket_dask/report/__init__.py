"""`report.html`: what a data set looks like, self-contained."""
