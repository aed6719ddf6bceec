"""The block diagrams: how a design is made and checked, the vector MAC, the engine, OCTAV."""

from canvas import AMBER, BLUE, GREEN, GREY, Canvas


def flow() -> Canvas:
    """What the commands take, make and compare."""
    c = Canvas(12, 5.2)
    c.box(0.2, 3.9, 2.4, 1, "configuration\n4/4U/4/6, V = 16", AMBER)
    c.box(0.2, 2.1, 2.4, 1, "tensors, or an\nONNX network", AMBER)
    c.box(4.0, 3.9, 2.4, 1, "hw/\nAmaranth components", BLUE)
    c.box(4.0, 2.1, 2.4, 1, "golden/\nthe same in NumPy", BLUE)
    c.box(4.0, 0.3, 2.4, 1, "sim/training\nPyTorch, optional", GREY)
    c.box(8.0, 3.9, 1.7, 1, "Verilog\n+ JSON", AMBER)
    c.box(8.0, 2.1, 3.6, 1, "sim/   Verilator or Icarus\nevery result, bit for bit", BLUE)
    c.box(10.2, 3.9, 1.4, 1, "your chip\nor FPGA", GREY)
    c.box(8.0, 0.3, 3.6, 1, "verdict, cycles, accuracy, SNR,\narea, delay, energy", AMBER)
    c.arrow((2.6, 4.4), (4.0, 4.4))
    c.arrow((2.6, 4.15), (3.3, 4.15), (3.3, 2.85), (4.0, 2.85))
    c.arrow((2.6, 2.6), (4.0, 2.6))
    c.arrow((6.4, 4.4), (8.0, 4.4), text="generate")
    c.arrow((9.7, 4.4), (10.2, 4.4))
    c.arrow((8.85, 3.9), (8.85, 3.1))
    c.arrow((6.4, 2.6), (8.0, 2.6), text="expected")
    c.arrow((9.8, 2.1), (9.8, 1.3))
    c.arrow((5.2, 1.3), (5.2, 2.1))
    c.text(5.35, 1.7, "trained integers", size=8, align="left")
    return c


def vector_mac() -> Canvas:
    """The vector MAC with its two pipeline stages (depth 2)."""
    c = Canvas(13, 5.4)
    for name, y in (("weights", 4.4), ("activations", 3.9)):
        c.arrow((0.1, y), (2.0, y), text=name)
    for name, y in (("weight_scale", 2.2), ("activation_scale", 1.7)):
        c.arrow((0.1, y), (2.0, y), text=name)
    c.arrow((0.1, 0.6), (9.35, 0.6), (9.35, 2.6))
    c.text(1.05, 0.77, "first, last", size=8)
    c.box(2.0, 3.6, 2.9, 1.1, "V products and their sum\n(one compressor tree)")
    c.box(2.0, 1.4, 1.3, 1.1, "product")
    c.box(3.8, 1.4, 1.1, 1.1, "round\nto P bits")
    c.arrow((3.3, 1.95), (3.8, 1.95))
    c.box(5.9, 3.6, 0.45, 1.1, "", GREEN)
    c.box(5.9, 1.4, 0.45, 1.1, "", GREEN)
    c.arrow((4.9, 4.15), (5.9, 4.15), text="dot")
    c.arrow((4.9, 1.95), (5.9, 1.95), text="sp'")
    c.box(7.2, 2.6, 1.0, 1.0, "multiply")
    c.arrow((6.35, 4.15), (7.7, 4.15), (7.7, 3.6))
    c.arrow((6.35, 1.95), (7.7, 1.95), (7.7, 2.6))
    c.box(9.0, 2.6, 1.3, 1.0, "add, then\nsaturate")
    c.arrow((8.2, 3.1), (9.0, 3.1))
    c.box(10.9, 2.6, 0.45, 1.0, "", GREEN)
    c.arrow((10.3, 3.1), (10.9, 3.1))
    c.arrow((11.35, 3.1), (12.95, 3.1), text="accumulator")
    c.text(12.15, 2.88, "saturated", size=8)
    c.arrow((11.6, 3.1), (11.6, 1.5), (9.65, 1.5), (9.65, 2.6))
    c.text(10.6, 1.68, "after every vector", size=8)
    c.line((6.6, 5.0), (6.6, 0.2), dashed=True)
    c.line((11.12, 5.0), (11.12, 3.7), dashed=True)
    c.text(4.2, 5.15, "stage 0", size=8)
    c.text(8.9, 5.15, "stage 1", size=8)
    c.text(6.125, 3.35, "register", size=7)
    c.text(11.12, 2.35, "register", size=7)
    return c


def engine() -> Canvas:
    """The matrix engine: streams on the left and right, lanes in the middle."""
    c = Canvas(13, 6.2)
    c.arrow((0.1, 5.3), (2.0, 5.3), text="weights")
    c.arrow((0.1, 3.3), (2.0, 3.3), text="activations")
    c.arrow((0.1, 1.3), (2.0, 1.3), text="parameters")
    c.box(2.0, 4.8, 2.4, 1.0, "weight buffer\n(ring of rows)", GREEN)
    c.box(2.0, 2.8, 2.4, 1.0, "sequencer")
    c.box(2.0, 0.8, 2.4, 1.0, "parameter buffer\n(two tiles)", GREEN)
    c.box(6.4, 2.8, 2.2, 3.0, "L vector MACs,\none for each\noutput channel")
    c.box(6.4, 0.8, 2.2, 1.0, "rescaler\nQ per cycle")
    c.box(9.6, 0.8, 1.6, 1.0, "vector\nquantizer")
    c.arrow((3.2, 3.8), (3.2, 4.8), text="read, rewind, release")
    c.arrow((3.2, 1.8), (3.2, 2.8), text="shape of the tile")
    c.arrow((4.4, 5.3), (6.4, 5.3), text="a row: L vectors")
    c.text(5.4, 5.1, "and scales", size=8)
    c.arrow((4.4, 3.3), (6.4, 3.3), text="a vector, to all")
    c.arrow((7.5, 2.8), (7.5, 1.8), text="L accumulators")
    c.arrow((4.4, 1.3), (6.4, 1.3), text="m, e, b")
    c.arrow((8.6, 1.3), (9.6, 1.3), text="R bits")
    c.arrow((11.2, 1.3), (12.95, 1.3), text="results: vectors")
    c.arrow((9.0, 1.3), (9.0, 0.3), (12.95, 0.3))
    c.text(11.0, 0.47, "results: values of R bits, or accumulators", size=8)
    return c


def octav() -> Canvas:
    """The resident OCTAV unit: rows, their sums, one Newton step for each pass."""
    c = Canvas(12, 3.8)
    c.arrow((0.1, 2.6), (2.0, 2.6), text="samples, K, last")
    c.box(2.0, 2.1, 2.0, 1.0, "sample memory\n(resident only)", GREEN)
    c.box(5.0, 2.1, 2.4, 1.0, "row: |x| > s?\nS, n_out, n_in")
    c.box(8.4, 2.1, 2.0, 1.0, "step: multiply\nand divide")
    c.box(6.6, 0.3, 2.4, 1.0, "s, the s before,\npasses", GREEN)
    c.arrow((4.0, 2.6), (5.0, 2.6), text="rows")
    c.arrow((7.4, 2.6), (8.4, 2.6), text="a pass")
    c.arrow((9.4, 2.1), (9.4, 0.8), (9.0, 0.8))
    c.text(9.5, 1.6, "s'", size=8, align="left")
    c.arrow((6.6, 0.8), (6.2, 0.8), (6.2, 2.1))
    c.text(5.95, 1.6, "s", size=8)
    c.arrow((10.4, 2.6), (11.95, 2.6), text="threshold, end")
    return c


DIAGRAMS = {"flow": flow, "vector-mac": vector_mac, "engine": engine, "octav": octav}
