"""Area, delay and energy of generated hardware, through an open flow.

Yosys maps the Verilog onto the cells of a Liberty file, OpenSTA times the netlist, Icarus simulates
it with the delays of its cells, and the toggles of every net, glitches included, give the energy.
Of FPGAs, Yosys gives the cells that a design takes, and nextpnr places and routes it on an iCE40.
"""
