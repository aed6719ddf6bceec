"""Drive the vector MAC in Amaranth's own simulator, and compare a sum with golden.

Run: python examples/drive_mac.py
"""

import numpy as np
from amaranth.sim import Simulator, SimulatorContext

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import matmul
from scalewright.golden.quantize import quantize
from scalewright.hw.mac import VectorMac


def main() -> None:
    """Send the three vector pairs of one dot product, and print the accumulator."""
    config = DatapathConfig.parse("4/4U/4/6")
    rng = np.random.default_rng(0)
    w = quantize(rng.standard_normal((1, 48)), config.weights, vector_size=16, coarse_axis=0)
    a = quantize(rng.random((1, 48)), config.activations, vector_size=16)
    assert w.scales is not None
    assert a.scales is not None
    mac = VectorMac(config)
    got = []

    async def send(ctx: SimulatorContext) -> None:
        for j in range(3):
            payload = {
                "weights": w.elements[0, j].tolist(),
                "activations": a.elements[0, j].tolist(),
                "weight_scale": int(w.scales[0, j]),
                "activation_scale": int(a.scales[0, j]),
                "first": j == 0,
                "last": j == 2,
            }
            ctx.set(mac.i.payload, payload)
            ctx.set(mac.i.valid, 1)
            await ctx.tick().until(mac.i.ready)
        ctx.set(mac.i.valid, 0)

    async def receive(ctx: SimulatorContext) -> None:
        ctx.set(mac.o.ready, 1)
        (accumulator,) = await ctx.tick().sample(mac.o.payload.accumulator).until(mac.o.valid)
        got.append(accumulator)

    simulator = Simulator(mac)
    simulator.add_clock(1e-9)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    simulator.run()
    expected = matmul(w, a, config).accumulators.item()
    print(f"accumulator {got[0]}, golden {expected}")
    if got[0] != expected:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
