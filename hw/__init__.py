"""The hardware: Amaranth components and the Verilog that they become."""
