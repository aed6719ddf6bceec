"""What there is to know of each block: its component, its testbench, its configurations."""
