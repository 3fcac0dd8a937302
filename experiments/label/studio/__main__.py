"""Label a pool in Label Studio, the session deciding what comes next: python -m experiments.label.studio POOL

    python -m experiments.label.studio POOL --show texts.csv --classes A,B,C --tasks tasks.json
    LABEL_STUDIO_API_KEY=... python -m experiments.label.studio POOL --project 1 --labels labels.csv

The first writes a task for each row, to be imported, and prints an interface to paste. The second is the
machine-learning backend: it connects itself to the project, hears of every answer and keeps the next rows at the head
of the queue ("Label All Tasks"). Answers are in labels.csv and its journal; those given while it was not running are
taken in when it starts. It listens on this machine alone, which Label Studio must be started to allow, with
SSRF_PROTECTION_ENABLED=false ML_BLOCK_LOCAL_IP=false.
"""

import argparse
import json
import logging
import os
import pathlib
import re
import secrets
import sys
import threading
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from alfamous_jax.__main__ import read_features
from alfamous_jax.core.files import replacing
from experiments import stopping
from experiments.label import begin, options, show

HOST, THREADS = "127.0.0.1", 4
KEY = "LABEL_STUDIO_API_KEY"
MISSING = "error: the backend needs Flask and waitress; pip install -e '.[page]'"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(arguments)
    if not 0 <= args.port < 1 << 16:
        sys.exit(f"error: --port must be 0 to 65535, got {args.port}")
    if (args.tasks is None) == (args.project is None):
        sys.exit("error: either --tasks, to write a file to import, or --project, to listen to one")
    try:
        if args.tasks is not None:
            print(write_tasks(args.pool, args.show, args.classes, args.tasks))
        else:
            _serve(args)
    except ModuleNotFoundError as error:
        sys.exit(MISSING if error.name in ("flask", "waitress") else f"error: {error}")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def write_tasks(pool: pathlib.Path, texts: pathlib.Path | None, classes: Sequence[str], path: pathlib.Path) -> str:
    """Writes a task for each row of a pool.

    Args:
      pool: the rows.
      texts: a table with what a person sees of each.
      classes: their names; those that the pool names, if there are none.
      path: of the file, replaced if it is there.

    Returns:
      what to do with it, with an interface for the project.

    Raises:
      ValueError, OSError: a file that is not there or not as it should be, or no classes.
    """
    rows, _ = read_features(pool)
    names = classes or begin.classes_of(pool)
    if not names:
        raise ValueError("--classes: name the classes, A,B,C; the pool does not say what they are")
    shown = show.of(rows, texts, None)
    cells = [[(re.sub(r"\W", "_", name), text) for name, text in shown.content(row).cells] for row in range(len(rows))]
    seen = [name for name, _ in cells[0]]
    if len({*seen, "row"}) <= len(seen):
        raise ValueError(f"{texts}: the columns must have different names, none of them row, got {', '.join(seen)}")
    with replacing(path) as file:
        file.write(json.dumps([{"data": {**dict(one), "row": row}} for row, one in enumerate(cells)]).encode())
    return (
        f"{len(rows):,} tasks in {path}: import them into a project with this interface.\n\n{_interface(seen, names)}"
    )


def _interface(seen: Sequence[str], classes: Sequence[str]) -> str:
    """What a person sees of a task and is asked, in the language of Label Studio."""
    texts = [f"  <Text name={quoteattr(name)} value={quoteattr('$' + name)}/>" for name in seen or ["row"]]
    choices = [f"    <Choice value={quoteattr(name)}/>" for name in classes]
    question = f'  <Choices name="class" toName={quoteattr((*seen, "row")[0])} choice="single-radio">'
    return "\n".join(["<View>", *texts, question, *choices, "  </Choices>", "</View>"])


def _serve(args: argparse.Namespace) -> None:
    import waitress

    from experiments.label.studio.backend import Backend, app
    from experiments.label.studio.project import Project

    if not os.environ.get(KEY):
        raise ValueError(f"{KEY}: set it to an access token of Label Studio (Account & Settings)")
    project = Project(args.url, os.environ[KEY], args.project)
    begun = begin_over(args, project.controls.choices)
    print(*(note for note in begun.notes if note not in begun.show.notes), sep="\n", flush=True)
    backend = Backend(begun, project, args.who)
    if missed := backend.catch_up():
        print(f"{missed} answers were given while nobody listened; they are taken in.", flush=True)
    if not backend.queue():
        print("Every row of the project is answered.")
        return
    token = secrets.token_urlsafe(24)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = waitress.create_server(app(backend, token), host=HOST, port=args.port, threads=THREADS, ident=None)
    threading.Thread(target=server.run, daemon=True).start()
    project.follow(f"http://{HOST}:{server.effective_port}/{token}/")
    if backend.catch_up():  # what was answered meanwhile
        backend.queue()
    print(f"\nProject {args.project} at {args.url} follows. Ctrl-C ends it; nothing is lost.", flush=True)
    with stopping.in_order(f"stopped; the same command goes on with {args.labels}"):
        backend.work()


def begin_over(args: argparse.Namespace, choices: Sequence[str]) -> begin.Begun:
    """A new session with the choices of a project for its classes, or the one that its journal holds, as it began."""
    if not args.classes and not begin.journal_of(args.labels).exists():
        args.classes = list(choices)
    args.show = args.images = None
    return begin.begin(args)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="experiments.label.studio", description=__doc__, formatter_class=formatter)
    options.add_options(parser)
    parser.add_argument("--tasks", type=pathlib.Path, metavar="FILE", help="write a task for each row, and end")
    parser.add_argument("--show", type=pathlib.Path, metavar="FILE", help="texts for --tasks, one for each row")
    parser.add_argument("--project", type=int, help="number of the project to listen to")
    parser.add_argument("--url", default="http://localhost:8080", help="of Label Studio (http://localhost:8080)")
    parser.set_defaults(audit=0.0)
    return parser


if __name__ == "__main__":
    main()
