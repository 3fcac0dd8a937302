"""Records of a run, small enough to average by hand."""

import json

# Macro F1 by strategy and seed over cycles 0, 1, 2. Means over cycles 1, 2:
# random .2 .4; us .3 .5 .4; us-alfamous .5 .6 .8.
F1 = {
    "us-alfamous": {0: (0.3, 0.4, 0.6), 1: (0.4, 0.5, 0.7), 2: (0.7, 0.75, 0.85)},
    "us": {0: (0.2, 0.25, 0.35), 1: (0.3, 0.4, 0.6), 2: (0.3, 0.35, 0.45)},
    "random": {0: (0.1, 0.15, 0.25), 1: (0.3, 0.35, 0.45)},
}


def make_records(f1=F1):
    records = []
    for strategy, seeds in f1.items():
        for seed, values in seeds.items():
            for cycle, value in enumerate(values):
                last = cycle == len(values) - 1
                records.append(
                    {
                        "strategy": strategy, "seed": seed, "cycle": cycle, "num_labelled": 10 * (cycle + 1),
                        "accuracy": value + 0.05, "macro_f1": value, "cbi": 2.0 + value, "l1_score": 0.3,
                        "counts": [6 * (cycle + 1), 3 * (cycle + 1), cycle + 1], "selected": [] if last else [1, 2],
                        "ed_diversity": None if last else 12.0, "kl_diversity": None if last else 0.125,
                    }
                )  # fmt: skip
    return records


def write_run(folder, records, **config):
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
