"""The commands for accounts and registries: a group per kind, with options from the schema of the kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
from marshmallow import fields

from photseries.cli.options import json_option, print_entries
from photseries.cli.progress import tracked
from photseries.server.accounts import OPERATOR
from photseries.server.archive.handover import Handover
from photseries.server.catalogue.registries import MEMBERS
from photseries.server.cli.options import configured
from photseries.server.schemas.fields import IdField, Ids, Number
from photseries.server.schemas.registries import CREATIONS
from photseries.server.services import Services, open_services
from photseries.server.settings import Config

__all__ = ["COMMANDS"]

#: The kind in paths; its command; its name in the help; the field that ``create`` takes as argument.
_KINDS = (
    ("users", "user", "users", "username"),
    ("groups", "group", "groups", "name"),
    ("streams", "stream", "streams", "name"),
    ("sources", "source", "sources", "id"),
    ("instrument", "instrument", "instruments", "name"),
    ("followup_request", "followup-request", "follow-up requests", None),
    ("assignment", "assignment", "assignments", None),
    ("tokens", "token", "tokens", "user_id"),
)

_OPTION_NAMES = {"user_ids": "--user", "filters": "--filter", "permissions": "--permission", "expires_at": "--expires"}
_EVERYTHING = 1_000_000


def _group(kind: str, name: str, noun: str, argument: str | None) -> click.Group:
    group = click.Group(name, help=f"Create, list and remove {noun}.")

    @json_option
    @configured()
    def create(config: Config, as_json: bool, **values: object) -> None:
        """Create an entry and print it."""
        with open_services(config, existing=True) as services:
            body = {key: _resolved(services, key, value) for key, value in values.items() if value not in (None, ())}
            print_entries(services.accounts.create(OPERATOR, kind, body), as_json)

    @json_option
    @configured()
    def list_(config: Config, as_json: bool) -> None:
        """List the entries."""
        with open_services(config, existing=True) as services:
            print_entries(services.accounts.find(OPERATOR, kind, 1, _EVERYTHING)[0], as_json)

    @click.argument("identity", metavar="ID")
    @configured()
    def delete(config: Config, identity: str) -> None:
        """Remove an entry."""
        with open_services(config, existing=True) as services:
            services.accounts.remove(OPERATOR, kind, identity)

    if kind in MEMBERS:
        group.command("members")(_members(kind))
    group.command("create")(_with_fields(create, kind, argument))
    group.command("list")(list_)
    group.command("delete")(delete)
    return group


def _members(kind: str) -> Callable[..., None]:
    @click.argument("name", metavar="NAME")
    @click.option("--add", "added", multiple=True, metavar="USER", help="User to add.")
    @click.option("--remove", "removed", multiple=True, metavar="USER", help="User to remove.")
    @json_option
    @configured()
    def members(config: Config, name: str, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
        """Add and remove members, and print the entry."""
        with open_services(config, existing=True) as services:
            identity = str(_id_of(services, kind, name))
            changes = {
                "add_user_ids": [_user(services, user) for user in added],
                "remove_user_ids": [_user(services, user) for user in removed],
            }
            services.accounts.change(OPERATOR, kind, identity, changes)
            print_entries(services.accounts.get(OPERATOR, kind, identity), as_json)

    return members


@click.command()
@click.argument("name", metavar="USER")
@configured()
def reactivate(config: Config, name: str) -> None:
    """Make a deactivated user active again; the user then needs a new token."""
    with open_services(config, existing=True) as services:
        services.accounts.change(OPERATOR, "users", str(_user(services, name)), {"active": True})


@click.command("hand-over")
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
@json_option
@configured()
def hand_over(config: Config, before: str, after: str, as_json: bool) -> None:
    """Transfer the series of one user to another.

    In the sharing of each series, the single-user group of the new owner replaces that of the old owner. Repeat the
    command to continue after an interruption.
    """
    with open_services(config, existing=True) as services:
        owners = _user(services, before), _user(services, after)
        handover = Handover(services.catalogue, services.store, services.config)
        moved = tracked(handover.run(OPERATOR, *owners), partial(handover.total, owners[0]))
        print_entries({"series": sum(1 for _ in moved)}, as_json)


@click.command()
@click.option("--last", type=click.IntRange(1), default=100, help="Number of events.")
@json_option
@configured()
def audit(config: Config, last: int, as_json: bool) -> None:
    """Print changes of accounts, tokens and sharing."""
    with open_services(config, existing=True) as services:
        print_entries(services.accounts.audit(OPERATOR, 1, last)[0], as_json)


def _with_fields(command: Callable[..., None], kind: str, argument: str | None) -> Callable[..., None]:
    """Add the fields of a kind's schema to a command, as options, and one of them as argument."""
    for name, field in reversed(CREATIONS[kind].fields.items()):
        if name == argument:
            command = click.argument(name, metavar=name.removesuffix("_id").upper())(command)
        elif name != "group_ids":
            is_list = isinstance(field, Ids | fields.List)
            kinds = int if isinstance(field, IdField) else float if isinstance(field, Number) else str
            option = _OPTION_NAMES.get(name, f"--{name.replace('_', '-')}")
            command = click.option(option, name, type=kinds, multiple=is_list, required=field.required)(command)
    return command


def _resolved(services: Services, name: str, value: object) -> object:
    """Let users be given by name or by id."""
    if name == "user_id":
        return _user(services, str(value))
    if isinstance(value, tuple):
        return [_user(services, user) for user in value] if name == "user_ids" else list(value)
    return value


def _user(services: Services, value: str) -> int:
    return _id_of(services, "users", value)


def _id_of(services: Services, kind: str, value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() else services.accounts.id_of(kind, value)


_GROUPS = tuple(_group(*command) for command in _KINDS)
_GROUPS[0].add_command(reactivate)
_GROUPS[0].add_command(hand_over)

COMMANDS = (*_GROUPS, audit)
