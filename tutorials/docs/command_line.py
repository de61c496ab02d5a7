"""The directive `command-line`: all verbs of `keras-ff`, from the parsers themselves."""

import argparse
import re
import textwrap

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class CommandLine(SphinxDirective):
    """A section for each verb: what its module says, its usage, and tables of its options."""

    def run(self):
        """Return the sections."""
        from keras_ff_tools import main

        self.env.note_dependency(main.__file__)
        return [self._section(verb, summary, _parser(main, verb)) for verb, summary in main.VERBS.items()]

    def _section(self, verb, summary, parser):
        section = nodes.section(ids=[f"keras-ff-{verb}"], names=[f"keras-ff {verb}"])
        section += nodes.title("", f"keras-ff {verb}")
        section += _prose(parser.description or summary)
        section += _code(_plain(parser.format_usage().removeprefix("usage: ")))
        for group in parser._action_groups:
            actions = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
            if actions and group.title != "every verb":
                section += nodes.rubric("", group.title[:1].upper() + group.title[1:])
                section += _table([(_spelled(action), _help(action, parser)) for action in actions])
        section += _prose(parser.epilog or "")
        return section


def _parser(main, verb):
    parser = main._parser([verb])
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return subparsers.choices[verb]


def _prose(text):
    """Paragraphs, and their indented lines as they stand."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.split("\n")
        indented = next((index for index, line in enumerate(lines) if line.startswith("  ")), len(lines))
        if said := _plain("\n".join(lines[:indented])):
            found.append(_paragraph(said))
        if shown := textwrap.dedent("\n".join(lines[indented:])):
            found.append(_code(_commented(shown)))
    return found


def _paragraph(text):
    """A paragraph in which `words in backticks` are literals."""
    words = text.split("`")
    return nodes.paragraph(
        "", "", *[nodes.literal("", word) if index % 2 else nodes.Text(word) for index, word in enumerate(words)]
    )


def _plain(text):
    return " ".join(text.split())


def _commented(text):
    """Examples whose explanation, beside the command, is a comment; lines are broken on narrow pages."""
    return re.sub(r"^(keras-ff (?:\S+ )*\S+) {2,}(?=\w)", r"\1  # ", text, flags=re.MULTILINE)


def _code(text):
    return nodes.literal_block(text, text, language="text", classes=["wrapped"])


def _spelled(action):
    """An option with its value, such as "--train FILE ..."."""
    value = action.metavar or "|".join(map(str, action.choices or [])) or action.dest.upper()
    if not action.option_strings:
        return value
    value = "" if action.nargs == 0 else f" {value}" + (" ..." if action.nargs in ("+", "*") else "")
    return ", ".join(action.option_strings) + value


def _help(action, parser):
    return parser._get_formatter()._expand_help(action) if action.help else ""


def _table(rows):
    """A table of an option and its help in each row."""
    table, group, body = nodes.table(classes=["options"]), nodes.tgroup(cols=2), nodes.tbody()
    group += [nodes.colspec(colwidth=30), nodes.colspec(colwidth=70), body]
    for option, text in rows:
        option = nodes.paragraph("", "", nodes.literal("", option))
        body += nodes.row("", nodes.entry("", option), nodes.entry("", _paragraph(text)))
    table += group
    return table


def setup(app):
    """Add the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
