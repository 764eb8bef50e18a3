"""Boards as one HTML page of plain tables; nothing in it runs, and it fetches nothing."""

from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from denoisebench.board.board import Board
from denoisebench.board.render.frame import WORDS, frame

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ frames[0].title }}</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem }
section { margin-bottom: 3rem }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; padding: .3rem 0 }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap }
th { border-bottom: 2px solid }
td { border-bottom: 1px solid #8886 }
.word { text-align: left }
.faint { opacity: .7; font-style: italic }
</style>
</head>
<body>
{%- for frame in frames %}
<section>
<h2>{{ frame.title }}</h2>
{%- for table in frame.tables %}
<div class="wide"><table>
{%- if table.title %}
<caption>{{ table.title }}</caption>
{%- endif %}
<thead><tr>
{%- for name in table.header %}<th scope="col"{{ kind(name) }}>{{ name }}</th>{% endfor -%}
</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr{% if loop.index0 in table.faint %} class="faint"{% endif %}>
{%- for cell in row %}<td{{ kind(table.header[loop.index0]) }}>{{ cell }}</td>{% endfor -%}
</tr>
{%- endfor %}
</tbody>
</table></div>
{%- endfor %}
<ul>
{%- for note in frame.notes %}
<li>{{ note }}</li>
{%- endfor %}
</ul>
</section>
{%- endfor %}
</body>
</html>
"""


def html(boards: Sequence[Board]) -> str:
    """Render boards as a page."""
    page = _environment().from_string(_PAGE)
    return page.render(frames=[frame(board) for board in boards]) + "\n"


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.globals["kind"] = lambda name: Markup(' class="word"') if name in WORDS else ""
    return environment
