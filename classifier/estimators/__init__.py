"""What can answer "which quality?"; every estimator gives the same kind of answer."""
