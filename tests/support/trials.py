"""Runs written for the pages of the papers: records with the accuracies, counts and recalls that a test gives."""

import json


def records(curves, counts=None, recall=None, seeds=(0,), step=0.0):
    """Accuracy `curves[name][cycle]`, `step` more a seed; counts and recalls [cycle][class]."""
    found = []
    for name, values in curves.items():
        for seed in seeds:
            for cycle, value in enumerate(values):
                own = (counts or {}).get(name, [[6, 3, 1]] * len(values))[cycle]
                record = {"strategy": name, "seed": seed, "cycle": cycle, "num_labelled": sum(own), "counts": own}
                record |= {"accuracy": value + step * seed, "macro_f1": value, "cbi": 2.0, "l1_score": 1 - value}
                if recall:
                    record["recall"] = [x + step * seed for x in recall[name][cycle]]
                found.append(record)
    return found


def write(folder, found, timings=(), **config):
    folder.mkdir(parents=True)
    for name, rows in (("metrics", found), ("timings", timings)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    names = list(dict.fromkeys(record["strategy"] for record in found))
    config = {"strategies": names, "num_classes": 3} | config
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
