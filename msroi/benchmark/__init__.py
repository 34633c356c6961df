"""What the encoder is measured against on the same bytes, and the tables and curves of what was measured."""
