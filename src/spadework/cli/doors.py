"""How commands are called and how they fail."""

import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from spadework.cli.telling import INTERRUPTED, complain
from spadework.files import remedy_for


class Doors(TyperGroup):
    """Turns everything that a user can put right into one line on stderr and exit code 2.

    Those are ValueErrors, failures of the disk and wrong usage; any other exception is ours and keeps its
    traceback.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Runs the command line; exits unless `standalone_mode` is off."""
        try:
            code = super().main(*args, standalone_mode=False, **options)
        except ValueError as error:
            code = complain(str(error))
        except BrokenPipeError:
            code = 1
        except OSError as error:
            code = complain(_disk(error))
        except typer.Abort:
            code = INTERRUPTED
        except Exception as error:
            if not hasattr(error, "format_message"):  # every usage error has it, whatever typer stands on
                raise
            code = complain(_usage(error))
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


class Settings(TyperCommand):
    """Lets one `--set` be followed by several `key=value`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts a `--set` before each of them."""
        spread: list[str] = []
        setting = False
        for arg in args:
            pair = "=" in arg and not arg.startswith("-")
            spread += ["--set", arg] if setting and pair and spread[-1] != "--set" else [arg]
            setting = arg.startswith("--set") or (setting and pair)
        return super().parse_args(ctx, spread)


def _disk(error: OSError) -> str:
    """What a full or failing disk, or a folder that is not ours, is called wherever it shows."""
    return f"cannot read or write {error.filename or 'a file'}: {remedy_for(error)}"


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "spadework"
    return f"{error.format_message().rstrip('.')}: type {command} --help"
