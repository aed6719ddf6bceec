"""The demo's network and data: a classifier of handwritten digits, trained, with unseen images."""
