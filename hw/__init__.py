"""The hardware: Amaranth components and the Verilog they become."""
