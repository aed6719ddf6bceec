"""The datasheet of a module, in Markdown."""

from typing import Any

from scalewright.golden.config import DatapathConfig, EngineConfig, OctavConfig
from scalewright.sim.bench.design import Design
from scalewright.sim.blocks import Config
from scalewright.sim.blocks.vector_mac import words as command_words
from scalewright.sim.datasheet.area import MEASURED, Area
from scalewright.sim.datasheet.template import MARK
from scalewright.sim.datasheet.timing import handshake_wave, mac_wave


def datasheet(
    design: Design, block: str, config: Config, area: Area | None, files: dict[str, str]
) -> str:
    """Ports, fields, timing and, where it was measured, area.

    Args:
        design: The module.
        block: Name of its block.
        config: Its configuration.
        area: What was measured of it.
        files: Names of the files beside the datasheet, by what they are.
    """
    description = design.description
    lines = [
        f"<!-- {MARK} -->",
        f"# {design.module}",
        "",
        f"{description['component']} of Scalewright: {config.summary}.",
        "",
        "| file | what it is |",
        "|---|---|",
        *(f"| [`{name}`]({name}) | {what} |" for what, name in files.items()),
        "",
        *_ports(description),
        *_fields(description),
        *_timing(description, config),
        *_area(block, config, area),
        "## Made with",
        "",
        ", ".join(f"{name} {version}" for name, version in description["tools"].items()),
        "",
    ]
    return "\n".join(lines)


def _ports(description: dict[str, Any]) -> list[str]:
    rows = [
        f"| `{port['name']}` | {port['direction']} | {port['width']} | {port['role']} |"
        for port in description["ports"]
    ]
    return [
        "## Ports",
        "",
        "| port | direction | bits | what it is |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _fields(description: dict[str, Any]) -> list[str]:
    lines = ["## Fields", "", "Number 0 of several elements lies lowest."]
    for path, stream in description["streams"].items():
        lines += [
            "",
            f"Stream `{path}`, {stream['direction']}, {stream['width']} bits; a transfer happens "
            f"{stream['transfer']}.",
            "",
            f"| field | bits of `{path}_payload` | elements | bits each | signed | from | to |",
            "|---|---|---|---|---|---|---|",
        ]
        for field in stream["fields"]:
            width, signed = field["width"], field["signed"]
            high = field["offset"] + width * (field["elements"] or 1) - 1
            low = -(1 << (width - 1)) if signed else 0
            top = (1 << (width - signed)) - 1
            sign, lowest, largest = "yes" if signed else "no", f"{low:,}", f"{top:,}"
            if "signed_by" in field:
                sign = f"where `{field['signed_by']}` is 1"
                lowest, largest = f"{-(1 << (width - 1)):,} or 0", f"{top >> 1:,} or {top:,}"
            lines.append(
                f"| `{field['name']}` | {high}:{field['offset']} | {field['elements'] or 1} "
                f"| {width} | {sign} | {lowest} | {largest} |"
            )
    return [*lines, ""]


def _timing(description: dict[str, Any], config: Config) -> list[str]:
    lines = ["## Timing", ""]
    lines += [f"- {name.capitalize()}: {text}." for name, text in description["timing"].items()]
    lines += [
        "",
        "A column is a clock cycle; `###` is high, `___` low, and a transfer happens at the",
    ]
    lines += ["rising edge that ends a cycle with valid and ready high.", "", "```text"]
    if isinstance(config, DatapathConfig):
        lines += [mac_wave(config.pipeline_depth), "```", ""]
        return [
            *lines,
            "Sum A has two pairs, the others one; B waits for `o_ready`, and so does the input.",
            "",
        ]
    first = next(iter(description["streams"]))
    lines += [
        handshake_wave(first),
        "```",
        "",
        "All streams keep to this; A and B are payloads.",
        "",
    ]
    return lines


def _area(block: str, config: Config, area: Area | None) -> list[str]:
    lines = ["## Area, delay and energy", ""]
    if area is not None:
        what = "vector pair" if block == "vector-mac" else "result, in one lane"
        return [
            *lines,
            f"| cells | area, unit of the library | critical path, ns | energy, pJ per {what} |",
            "|---|---|---|---|",
            f"| {area.library} | {area.area:,.0f} | {area.critical_path:.2f} | {area.energy:.1f} |",
            "",
            f"From `{area.source}`, as `scalewright ppa` measures: cells alone, without wires.",
            "",
        ]
    if block not in MEASURED or isinstance(config, OctavConfig):
        return [*lines, f"Not measured: `scalewright ppa` has no {block}.", ""]
    words = command_words(config.datapath if isinstance(config, EngineConfig) else config)
    command = " ".join(["scalewright", "ppa", *words, "--block", block, "--json", "area.json"])
    return [
        *lines,
        "Not measured. This measures it; `scalewright generate ... --area area.json` then puts it",
        "here:",
        "",
        f"    {command}",
        "",
    ]
