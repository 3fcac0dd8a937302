"""A cycle on pools that grow with the devices: python -m experiments.scaling [--json FILE] [--plot FILE]

Runs `cycle.acquire` on 1, 2, 4, 8 host devices of one process and on two processes of two devices, with the same number
of rows on every device; checks the picks against those of one device on the same pool; counts what a label sends; and
holds the times against a model, which then tells the time on other machines. Host devices share the cores and the
memory of their machine, so its speed in rows stays what it is, while the cost of meeting grows:

    here        t = fixed(P) + N bytes(row) / bandwidth                       N rows in all, P devices
    elsewhere   t = fixed(1) + exchanges latency log2 P + N / P bytes(row) / bandwidth of a device

`fixed(P)` is the time of a label on a pool of 8 rows a device, and the bandwidth is that of one device here.
"""

import argparse
import json
import math
import os
import pathlib
import socket
import sys
from typing import Any

from experiments import stopping
from experiments.bench import children
from experiments.store import files
from experiments.store.environment import environment

LAYOUTS = ((1, 1), (1, 2), (1, 4), (1, 8), (2, 2))  # processes, devices of each
TINY = 8


def measure(processes: int, devices: int, settings: dict) -> dict:
    """What `scaling_worker` measures on so many processes of so many host devices each; all give the same picks."""
    with socket.socket() as server:
        server.bind(("localhost", 0))
        address = f"localhost:{server.getsockname()[1]}"
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "experiments.bench.scaling_worker", json.dumps(settings)]
    commands = [[*command, *([f"{address},{processes},{i}"] if processes > 1 else [])] for i in range(processes)]
    outputs = children.outputs(commands, f"{processes} processes of {devices} devices", environment)
    answers = [json.loads(output.splitlines()[-1]) for output in outputs]
    if any(answer["indices"] != answers[0]["indices"] for answer in answers):
        raise RuntimeError(f"the {processes} processes disagree about the picks")
    return answers[0]


def predict(num_rows: float, fixed: float, row_bytes: float, bandwidth: float) -> float:
    """Seconds of a label: a pass over the rows of one device, and what does not depend on them."""
    return fixed + num_rows * row_bytes / bandwidth


def elsewhere(alone: dict, exchanges: int, args: argparse.Namespace) -> dict:
    """The model's time of a label on another machine.

    Args:
      alone: fixed_s, bytes_row of one device here.
      exchanges: collectives of a label.
      args: pool (rows), pool_devices, latency_us of an exchange between two devices, bandwidth_GBps of one.

    Returns:
      its inputs, and seconds for the pass, the exchanges and all.
    """
    meeting = exchanges * args.latency_us * 1e-6 * math.log2(args.pool_devices)
    reading = predict(args.pool / args.pool_devices, 0.0, alone["bytes_row"], args.bandwidth_GBps * 1e9)
    return {
        "rows": args.pool,
        "devices": args.pool_devices,
        "latency_us": args.latency_us,
        "bandwidth_GBps": args.bandwidth_GBps,
        "GB_on_a_device": args.pool / args.pool_devices * alone["bytes_row"] / 1e9,
        "pass_s": reading,
        "exchanges_s": meeting,
        "label_s": alone["fixed_s"] + meeting + reading,
    }


def run(args: argparse.Namespace) -> dict:
    """All measurements, the check of the picks, and the model."""
    settings = {"features": args.features, "classes": args.classes, "budget": args.budget}
    total = {processes * devices for processes, devices in LAYOUTS}
    references = {count: measure(1, 1, settings | {"blocks": count, "rows": args.rows}) for count in sorted(total)}
    fixed = {layout: measure(*layout, settings | {"rows": TINY, "blocks": math.prod(layout)}) for layout in LAYOUTS}
    alone = references[1]
    bytes_row = 4 * (args.features + 2 * args.classes + 2)  # features; logits and variance, read and written
    bandwidth = args.rows * bytes_row / (alone["label_s"] - fixed[1, 1]["label_s"])
    rows = {}
    for layout in LAYOUTS:
        count = math.prod(layout)
        found = measure(*layout, settings | {"rows": args.rows, "blocks": count})
        modelled = predict(count * args.rows, fixed[layout]["label_s"], bytes_row, bandwidth)
        rows[f"{layout[0]} x {layout[1]}"] = {
            "devices": count,
            "rows": count * args.rows,
            "label_s": found["label_s"],
            "one_device_s": references[count]["label_s"],
            "fixed_s": fixed[layout]["label_s"],
            "model_s": modelled,
            "model_to_measured": modelled / found["label_s"],
            "same_picks": found["indices"] == references[count]["indices"],
            "bytes_a_label": found["bytes_a_label"],
            "bytes_a_label_of_8_rows": fixed[layout]["bytes_a_label"],
            "exchanges": found["exchanges"],
        }
    here = {"fixed_s": fixed[1, 1]["label_s"], "bytes_row": bytes_row}
    return {
        "settings": settings | {"rows_a_device": args.rows},
        "bandwidth_GBps": bandwidth / 1e9,
        "rows": rows,
        "model": elsewhere(here, rows["1 x 8"]["exchanges"], args),
    }


def draw(result: dict, path: pathlib.Path) -> None:
    """Time of a label over the devices, measured and by the model."""
    from matplotlib.figure import Figure

    rows = [row for name, row in result["rows"].items() if name.startswith("1 x")]
    two = result["rows"]["2 x 2"]
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot(
        xlabel="devices, each with the same number of rows", ylabel="milliseconds a label", title="Weak scaling"
    )
    devices = [row["devices"] for row in rows]
    curves: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("label_s", {"marker": "o", "color": "#0072B2"}, "measured, one process"),
        ("model_s", {"linestyle": "--", "color": "#000000"}, "model"),
        ("one_device_s", {"marker": "s", "color": "#E69F00", "linestyle": ":"}, "one device with all the rows"),
        ("fixed_s", {"marker": "^", "color": "#009E73"}, "a pool of 8 rows a device"),
    )
    for field, style, label in curves:
        axes.plot(devices, [1e3 * row[field] for row in rows], label=label, **style)
    axes.plot([two["devices"]], [1e3 * two["label_s"]], "D", color="#D55E00", label="measured, two processes")
    axes.set_xscale("log", base=2)
    axes.set_xticks(devices, [str(count) for count in devices])
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    with files.replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:] or "png", dpi=150)


def show(result: dict) -> None:
    """The table for a terminal."""
    columns = ("rows", "label_s", "model_s", "one_device_s", "fixed_s", "bytes_a_label", "exchanges", "same_picks")
    print(f"{'layout':8}", *(f"{name.replace('_s', ' ms') if name.endswith('_s') else name:>15}" for name in columns))
    for name, row in result["rows"].items():
        cells = (1e3 * row[column] if column.endswith("_s") else row[column] for column in columns)
        print(f"{name:8}", *(f"{cell:15.3f}" if isinstance(cell, float) else f"{cell!s:>15}" for cell in cells))
    model = result["model"]
    print(
        f"model: {model['rows']:.0e} rows on {model['devices']} devices of {model['bandwidth_GBps']:g} GB/s, "
        f"{model['latency_us']:g} us an exchange: {1e3 * model['label_s']:.2f} ms a label"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="experiments.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=32_768, help="pool rows on every device")
    parser.add_argument("--features", type=int, default=512, help="D")
    parser.add_argument("--classes", type=int, default=10, help="K")
    parser.add_argument("--budget", type=int, default=32, help="labels")
    parser.add_argument("--pool", type=float, default=1e9, help="rows that the model is asked for")
    parser.add_argument("--pool-devices", type=int, default=256, help="devices that the model is asked for")
    parser.add_argument("--bandwidth-GBps", type=float, default=2400.0, help="of such a device, as measured there")
    parser.add_argument("--latency-us", type=float, default=10.0, help="of an exchange between two such devices")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="draw them there")
    args = parser.parse_args()
    for name in ("rows", "features", "classes", "budget", "pool", "pool_devices", "bandwidth_GBps", "latency_us"):
        if not getattr(args, name) > 0:
            parser.error(f"--{name.replace('_', '-')}: expected a number above 0, got {getattr(args, name)}")
    if args.budget > args.rows:
        parser.error(f"--budget: at most --rows {args.rows}, got {args.budget}")
    with stopping.in_order():
        try:
            result = run(args)
        except RuntimeError as error:
            sys.exit(f"error: {error}")
        show(result)
        if args.json:
            files.write_json(args.json, {"environment": environment(), **result})
        if args.plot:
            draw(result, args.plot)


if __name__ == "__main__":
    main()
