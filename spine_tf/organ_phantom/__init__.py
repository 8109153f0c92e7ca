"""Synthetic fetal ultrasound planes and abdominal CT with known truth; see docs/organ_phantom.md.

Frozen: another look needs another VERSION and a new run of benchmarks/organ_baseline.py.
"""

VERSION = 1
