"""What judges the estimators on whole pictures: evaluation, calibration, confusion, intervals."""
