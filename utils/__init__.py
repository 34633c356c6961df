"""What both families share; nothing in here knows a family."""
