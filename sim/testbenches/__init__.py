"""What each block is tested with, what is expected of it, and how a failure reads."""
