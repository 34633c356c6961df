"""What the estimators are measured against: conditions that pictures are in, and what others say of JPEG files."""
