"""Finds vertebral bodies and discs in a sagittal volume, see docs/detection.md."""
