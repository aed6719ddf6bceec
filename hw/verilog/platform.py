"""The platform that elaborates each distinct component once, as a Verilog module."""

import re

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Instance, ResetSignal, Value
from amaranth.lib.wiring import Out

from scalewright.hw.verilog import rtlil as reader
from scalewright.hw.verilog.names import MARKER, Names
from scalewright.hw.verilog.writer import ModuleWriter

__all__ = ["VerilogPlatform"]


class VerilogPlatform:
    """Turns components into modules; those that are `shared` (hw/primitives/shared.py) once each.

    Parameters
    ----------
    name : of the top-level module; those of the others begin with it
    """

    def __init__(self, name):
        self._name = name
        self._top = None
        self._modules = {}  # by class and parameters: a name
        self._names = {}  # how many modules have been called so
        self._texts = []
        self._ports = {}  # by module: names of its inputs and outputs

    def convert(self, component, fields=None):
        """Return the text of a component's module and of all below it."""
        self._top = component
        top = self._write(component, self._name, fields)
        return "\n".join([top, *reversed(self._texts)])

    def instance_of(self, component):
        """An instance of the module of a component; None for the one that is being written."""
        if component is self._top:
            return None
        key = (type(component), component.identity)
        if key not in self._modules:
            self._modules[key] = module = self._new_name(component)
            outer, self._top = self._top, component
            self._texts.append(self._write(component, module))
            self._top = outer
        module = self._modules[key]
        inputs, _ = self._ports[module]
        ports = {
            f"{'o' if is_output else 'i'}_{name}": value
            for name, (_, value, is_output) in _ports_of(component).items()
        }
        for port, signal in (("clk", ClockSignal()), ("rst", ResetSignal(allow_reset_less=True))):
            if port in inputs:
                ports[f"i_{port}"] = signal
        return Instance(module, **ports)

    def _adopt(self, modules, below):
        """Write the modules of components that are not `shared`, under names like all others."""
        adopted = {}
        for each in below:
            ports = Names()
            names = {
                wire.name[1:]: ports.add(wire.name[1:])
                for wire in each.wires.values()
                if wire.direction
            }
            below_top = Names().add(each.name.partition(".")[2])
            new = self._numbered(f"{self._name}{MARKER}{below_top}")
            adopted[f"\\{each.name}"] = new, names
            each.name = new
            outputs = {names[wire.name[1:]] for wire in each.ports("output")}
            self._ports[each.name] = set(names.values()) - outputs, outputs
        for each in modules:
            for cell in each.cells:
                if cell.kind in adopted:
                    new, names = adopted[cell.kind]
                    cell.kind = f"\\{new}"
                    cell.connections = {
                        names[port]: value for port, value in cell.connections.items()
                    }
        driven = {f"\\{name}": outputs for name, (_, outputs) in self._ports.items()}
        for each, (_, names) in zip(below, adopted.values(), strict=True):
            writer = ModuleWriter(each, driven, names, reserved=[self._name])
            self._texts.append("\n".join(writer.lines()) + "\n")

    def _new_name(self, component):
        if hasattr(component, "verilog_name"):
            return f"{self._name}{MARKER}{component.verilog_name}"
        words = re.findall(r"[A-Z][a-z0-9]*", type(component).__name__)
        return self._numbered(f"{self._name}{MARKER}{'_'.join(words).lower()}")

    def _numbered(self, name):
        """A module's name, with a number where it is not the first of it."""
        self._names[name] = number = self._names.get(name, 0) + 1
        return name if number == 1 else f"{name}_{number}"

    def _write(self, component, module, fields=None):
        ports = _ports_of(component)
        outputs = {name for name, (_, _, is_output) in ports.items() if is_output}
        inputs = {"clk", "rst", *ports} - outputs
        if hasattr(component, "verilog"):
            text = component.verilog.format(module=module)
            inputs = {name for name in inputs if re.search(rf"\binput .*\b{name}\b", text)}
            self._ports[module] = inputs, outputs
            return text
        modules = reader.read(
            rtlil.convert(
                component,
                name=module,
                platform=self,
                # By Amaranth's names, so that wires have them too.
                ports={wire: (value, None) for wire, value, _ in ports.values()},
                emit_src=False,
            )
        )
        read = next(each for each in modules if each.name == module)
        below = [each for each in modules if each is not read]
        self._adopt(modules, below)
        names = {"clk": "clk", "rst": "rst"} | {wire: name for name, (wire, _, _) in ports.items()}
        undriven = outputs - {names[port.name[1:]] for port in read.ports("output")}
        if undriven:
            raise ValueError(f"{type(component).__name__}: nothing drives {', '.join(undriven)}")
        driven = {f"\\{module}": outputs for module, (_, outputs) in self._ports.items()}
        present = {wire: name for wire, name in names.items() if f"\\{wire}" in read.wires}
        writer = ModuleWriter(read, driven, present, fields, reserved=[self._name])
        # Amaranth gives every module of a clock domain its reset.
        inputs = {names[port.name[1:]] for port in read.ports("input")}
        inputs -= {
            name for name in ("clk", "rst") if name in inputs and not writer.reads(f"\\{name}")
        }
        self._ports[module] = inputs, outputs
        return "\n".join(writer.lines()) + "\n"


def _ports_of(component):
    """Ports of a component by name, `i_payload` for `i.payload`; but those of no bits.

    With each Amaranth's name, `i__payload`, its value, and whether it is an output.
    """
    names = Names()
    for port in ("clk", "rst"):
        names.add(port)
    return {
        names.add("_".join(map(str, path))): (
            "__".join(map(str, path)),
            Value.cast(value),
            member.flow == Out,
        )
        for path, member, value in component.signature.flatten(component)
        if len(Value.cast(value))
    }
