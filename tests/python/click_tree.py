"""Prints the commands of the vendor's command line as JSON: a list of [words, flags]."""

import json

import click
from machins.cli.main import cli


def walk(command, words):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk(child, [*words, name])
    else:
        options = [param for param in command.params if isinstance(param, click.Option)]
        yield words, [name for option in options for name in option.opts]


print(json.dumps(list(walk(cli, []))))
