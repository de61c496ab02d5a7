import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # For toy_training, which the killed process imports too.
