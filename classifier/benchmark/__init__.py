"""What the estimators are measured against: conditions, what others say of files; tables of what was measured."""
