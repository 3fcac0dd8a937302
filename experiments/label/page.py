"""The pages as HTTP: all under a secret path, nothing but text of ours in them, nothing fetched from elsewhere."""

import hmac
import pathlib
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    render_template,
    request,
    send_file,
    send_from_directory,
)
from markupsafe import Markup, escape

from experiments.label import curve
from experiments.label.desk import Desk
from experiments.label.show import HEIGHT, TYPES, WIDTH

HOSTS = ["127.0.0.1", "localhost"]
STATIC = pathlib.Path(__file__).with_name("static")
LARGEST = 1 << 16  # bytes of a request
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def app(desk: Desk, token: str, title: str) -> Flask:
    """The application of a desk.

    Args:
      desk: who asks and takes answers.
      token: the first part of every path; whoever does not know it gets a 404.
      title: of the page.
    """
    made, pages = Flask(__name__, static_folder=None), Blueprint("pages", __name__, url_prefix="/<given>")
    made.config.update(TRUSTED_HOSTS=HOSTS, MAX_CONTENT_LENGTH=LARGEST, MAX_FORM_MEMORY_SIZE=LARGEST)
    made.jinja_env.filters["breakable"] = lambda name: escape(name).replace("_", Markup("_<wbr>"))
    made.jinja_env.trim_blocks = made.jinja_env.lstrip_blocks = True

    @pages.url_value_preprocessor
    def know_the_token(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if not hmac.compare_digest(str((values or {}).pop("given", "")).encode(), token.encode()):
            abort(404)

    @pages.before_request
    def come_from_here() -> None:
        """Not from another page that the browser has open."""
        elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
        origin = request.headers.get("Origin", request.host_url.rstrip("/"))
        if request.method != "GET" and (elsewhere or origin != request.host_url.rstrip("/")):
            abort(403)

    @made.after_request
    def with_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    def part(said: str = "", status: int = 200) -> Response:
        view = desk.view()
        drawing = curve.draw(view.points)
        box = {"width": WIDTH, "height": HEIGHT}
        text = render_template("part.html", view=view, curve=drawing, box=box, said=said, wrong=status != 200)
        return make_response(text, status)

    @pages.get("/")
    def page() -> str:
        return render_template("page.html", title=title, part=Markup(part().get_data(as_text=True)))

    @pages.get("/part")
    def part_if_new() -> Response:
        return part() if request.args.get("version") != desk.version() else make_response("", 204)

    @pages.post("/<any(answer, class, skip, undo):what>")
    def change(what: str) -> Response:
        row, name = request.form.get("row", -1, type=int), request.form.get("name", "")
        calls = {
            "answer": lambda: desk.answer(row, name),
            "class": lambda: desk.new_class(row, name),
            "skip": lambda: desk.skip(row),
            "undo": desk.undo,
        }
        try:
            return part(calls[what]())
        except ValueError as error:
            return part(str(error), 409)
        except OSError as error:
            return part(f"The answer could not be written: {error.strerror or error}.", 507)

    @pages.get("/image/<int:row>")
    def image(row: int) -> Response:
        if row >= len(desk.images):
            abort(404)
        path = desk.images[row]
        return send_file(path, TYPES[path.suffix.lower()])

    @pages.get("/<any('page.css', 'page.js', 'page.svg'):name>")
    def file(name: str) -> Response:
        return send_from_directory(STATIC, name)

    made.register_blueprint(pages)
    return made
