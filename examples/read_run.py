"""Read what a run says in its JSON file: accuracy, and cycles of each layer where RTL ran.

Run: scalewright run MODEL.vsq.onnx INPUTS --labels LABELS --json build/run.json
     python examples/read_run.py build/run.json
"""

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Print the report."""
    report = json.loads(path.read_text())
    datapath = report["config"]["datapath"]
    print(f"{report['model']} on {report['on']}: {datapath['notation']}")
    if "accuracy" in report:
        print(f"accuracy {report['accuracy']:.2%}")
    for layer in report.get("layers", []):
        text = f"{layer['name']}:"
        if "cycles" in layer:
            busy, mismatches = layer["utilisation"], layer["mismatch_count"]
            text += f" {layer['cycles']:,} cycles, {busy:.1%} busy, {mismatches} mismatches"
        if layer["snr_db"] is not None:
            text += f" {layer['snr_db']:.1f} dB"
        print(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} REPORT.json")
    main(Path(sys.argv[1]))
