"""What designs take of an FPGA."""
