"""Gathers a host's operators into regions: all that can be computed between the same products."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from scalewright.golden.network.execution import Quantize, Region, Step
from scalewright.golden.network.graph import Host, Node
from scalewright.golden.network.product import Product

# A step before operators are gathered.
Item: TypeAlias = Quantize | Product | Node


def schedule(
    items: Sequence[Item],
    constants: Mapping[str, Any],
    outputs: Iterable[str],
    host: Host,
) -> tuple[Step, ...]:
    """Steps in an order in which each has what it takes, operators as early as they can be.

    The depth of a tensor is the largest number of products between it and the inputs: operators
    whose results have the same depth are one region, and what follows on them comes behind it.

    Args:
        items: Quantizations, products and operators, each after those that it needs.
        constants: Of the operators, by name; a region gets its own.
        outputs: Names of the network's outputs.
        host: What computes operators.
    """
    depths: dict[str, int] = {}
    layers: dict[int, tuple[list[Node], list[Step]]] = {}
    for item in items:
        depth = max((depths.get(name, 0) for name in taken_by(item)), default=0)
        nodes, others = layers.setdefault(depth, ([], []))
        if isinstance(item, Node):
            nodes.append(item)
        else:
            others.append(item)
        for name in item.given if isinstance(item, Node) else (item.output,):
            depths[name] = depth + isinstance(item, Product)
    wanted = set(outputs)
    wanted |= {n for item in items if not isinstance(item, Node) for n in taken_by(item)}
    steps: list[Step] = []
    for depth in sorted(layers):
        nodes, others = layers[depth]
        if nodes:
            within = [name for node in nodes for name in node.given]
            later = {
                name
                for other, (beyond, _) in layers.items()
                if other != depth
                for node in beyond
                for name in node.taken
            }
            used = {name for node in nodes for name in node.taken}
            steps.append(
                Region(
                    nodes=tuple(nodes),
                    constants={name: constants[name] for name in sorted(used & constants.keys())},
                    outputs=tuple(name for name in within if name in wanted | later),
                    host=host,
                )
            )
        steps += others
    return tuple(step for step in steps if not isinstance(step, Region) or step.outputs)


def taken_by(item: Item) -> tuple[str, ...]:
    """Names of the tensors that a step takes."""
    if isinstance(item, Node):
        return item.taken
    if isinstance(item, Product) and item.right is not None:
        return item.input, item.right
    return (item.input,)
