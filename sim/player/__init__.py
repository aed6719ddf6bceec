"""The compiled player: plays a plan on a Verilated design, as the cocotb testbench does.

One source for all blocks: what differs, the ports, is a header that `sim/simulators/compiled.py`
writes. It follows the testbench in sim/bench to the cycle; a test plays the same plans on both.
"""
