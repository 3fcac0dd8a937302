"""Label a pool in the browser: python -m experiments.label POOL --show texts.csv

POOL holds the rows, as .npy, .npz, .csv, .tsv or .parquet; of an .npz, class_names names the classes, and x_test with
y_test draw the learning curve. --show has what a person sees of each row: the columns of a table but for its labels, or
series in an .npy. --images is a folder with an image for each row. The command prints an address with a random token;
who has it can label, from this machine only. Every answer is in labels.csv and its journal before the next question is
shown; the same command goes on where the last one ended. It writes no other file.
"""

import argparse
import logging
import pathlib
import secrets
import sys
import threading
from collections.abc import Sequence

from experiments import stopping
from experiments.label import options

HOST = "127.0.0.1"
THREADS = 4
MISSING = "error: the page needs Flask and waitress; pip install -e '.[page]'"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(arguments)
    if not 0 <= args.port < 1 << 16:
        sys.exit(f"error: --port must be 0 to 65535, got {args.port}")
    try:
        import waitress

        from experiments.label import begin, page, warm
        from experiments.label.desk import Desk
    except ModuleNotFoundError as error:
        sys.exit(MISSING if error.name in ("flask", "waitress") else f"error: {error}")
    try:
        begun = begin.begin(args)
        for note in begun.notes:
            print(note, flush=True)
        desk = Desk(begun.session, begun.table, begun.show, begun.held_out, begun.size, args.who)
        desk.view()  # compiles the first question
        token = secrets.token_urlsafe(24)
        logging.getLogger("waitress").setLevel(logging.ERROR)
        served = page.app(desk, token, args.pool.name)
        server = waitress.create_server(served, host=HOST, port=args.port, threads=THREADS, ident=None)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    trial = begun.session.as_of(len(begun.session.history))
    for work in (desk.work, lambda: warm.up(trial)):
        threading.Thread(target=work, daemon=True).start()
    print(f"\nOpen http://{HOST}:{server.effective_port}/{token}/\nCtrl-C ends it; nothing is lost.", flush=True)
    with stopping.in_order(f"stopped; the same command goes on with {args.labels}"):
        server.run()  # which takes the signal for its own
        raise stopping.Stopped


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="experiments.label", description=__doc__, formatter_class=formatter)
    options.add_options(parser)
    parser.add_argument("--show", type=pathlib.Path, metavar="FILE", help="texts or series, one for each row")
    parser.add_argument("--images", type=pathlib.Path, metavar="FOLDER", help="an image for each row")
    parser.add_argument("--audit", type=float, help="share set aside to measure (0.1; 0 if the pool has x_test)")
    return parser


if __name__ == "__main__":
    main()
