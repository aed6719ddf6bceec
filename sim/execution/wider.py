"""Which layers of a network get wider elements, as the command line says it."""

from collections.abc import Iterable

from scalewright.golden.network.graph import Graph
from scalewright.golden.network.operands import has_weights
from scalewright.sim.files.names import listing

_OPERANDS = ("w", "a", "wa", "aw")


def choose(graph: Graph, texts: Iterable[str]) -> dict[str, str]:
    """Operands that get wider elements, by the name of the product: `w`, `a` or `wa`.

    Args:
        graph: The network.
        texts: `LAYER` or `LAYER:OPERANDS`, where LAYER is the name of a product, `first` or `last`,
            and OPERANDS `w`, `a` or `wa`, which is the default.

    Raises:
        ValueError: No such layer or operands.
    """
    names = [node.name for node in graph.nodes if has_weights(graph, node)]
    places = {"first": names[:1], "last": names[-1:]}
    chosen: dict[str, str] = {}
    for text in texts:
        name, colon, operands = text.rpartition(":")
        if not colon or operands not in _OPERANDS:
            name, operands = text, "wa"
        found = places.get(name, [name] if name in names else [])
        if not found:
            raise ValueError(
                f"no layer {name!r} to make wider: it must be first, last, or one of "
                f"{listing(names)}, with :w or :a for one operand only"
            )
        before = chosen.get(found[0], "")
        chosen[found[0]] = "".join(each for each in "wa" if each in before + operands)
    return chosen
