"""Data and options of the small runs in these tests."""

from pathlib import Path

SILICON = Path(__file__).parents[1] / "data" / "files" / "silicon.xyz"
TRAIN = [f"{SILICON}@0:8", "--valid", f"{SILICON}@8:11", "--n-max", "2", "--cutoff", "3.5", "--max-shapes", "1"]
