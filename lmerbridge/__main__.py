"""``python -m lmerbridge``: the command line."""

from lmerbridge.cli import app

app(prog_name="lmerbridge")
