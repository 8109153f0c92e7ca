"""Flags, exit status and the `spine-tf` command. Imports nothing heavy.

A script defines its flags in `define_flags()`, does its work in `main(argv)` and ends with

    if __name__ == "__main__":
        cli.run(define_flags, main)

`main` returns an exit status, or None for `EXIT_DONE`. Heavy libraries are imported inside `main`,
so that `--help` answers at once.
"""

import contextlib
import difflib
import importlib.metadata
import os
import platform
import re
import runpy
import sys
import traceback
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from absl import flags

import spine_tf
from spine_tf import commands, flag_help, quiet

EXIT_DONE = 0  # all done, nothing rejected
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REJECTED = 3  # done, but some input that should have been usable was not
EXIT_INTERRUPTED = 130

_HELP_WORDS = ("--help", "-help", "-h", "--helpshort", "--helpfull")
_TRACEBACK = "traceback"  # flag of every script
_NOT_GIVEN = "must have a value other than None"  # absl's words for a required flag
_NUMBERS = {"int": "a whole number", "float": "a number"}


class UsageError(ValueError):
    """Flags that are wrong, or that do not go together: exit status 2."""


# === Running a script ===


def run(
    define_flags: Callable[[], None], main: Callable[[list[str]], int | None], first: str = ""
) -> NoReturn:
    """Runs a script on the arguments of this process and exits with its status.

    Args:
        define_flags: See `call`.
        main: See `call`.
        first: Flag whose value may come first without its name; "" is none.
    """
    quiet.quiet_libraries()
    arguments = sys.argv[1:]
    if first and arguments and not arguments[0].startswith("-"):
        arguments[0] = f"--{first}={arguments[0]}"
    sys.exit(call(define_flags, main, arguments))


def call(
    define_flags: Callable[[], None],
    main: Callable[[list[str]], int | None],
    arguments: Sequence[str],
) -> int:
    """Runs a script on `arguments` and forgets its flags again, so that tests can call many.

    Args:
        define_flags: Defines the script's flags.
        main: Does the work; takes [program name]. The docstring of its module is the help text.
        arguments: What comes after the program name.

    Returns:
        The exit status. ValueError, OSError and ImportError are printed as one clear message.
    """
    program = _program(main)
    if any(word in _HELP_WORDS for word in arguments):
        docstring = main.__globals__.get("__doc__") or ""
        _show(flag_help.page(program, docstring, flag_facts(define_flags)), sys.stdout)
        return EXIT_DONE
    with _defined(define_flags) as own:
        return _call_parsed(main, program, own, arguments)


@contextlib.contextmanager
def _defined(define_flags: Callable[[], None]) -> Iterator[list[str]]:
    """Gives the names of a script's flags, which are forgotten when the block ends."""
    before = set(flags.FLAGS)
    try:
        define_flags()
        if _TRACEBACK not in flags.FLAGS:
            flags.DEFINE_bool(_TRACEBACK, False, "Show where in the code an error was raised.")
        yield [*(n for n in flags.FLAGS if n not in (*before, _TRACEBACK)), _TRACEBACK]
    finally:
        for name in [name for name in flags.FLAGS if name not in before]:
            delattr(flags.FLAGS, name)


def _show(text: str, file: typing.TextIO) -> None:
    try:
        print(text, file=file, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def _call_parsed(main, program: str, own: Sequence[str], arguments: Sequence[str]) -> int:
    try:
        _parse([program, *arguments], own)
        status = main([program])
        return EXIT_DONE if status is None else int(status)
    except (flags.Error, UsageError) as error:
        return _fail(error, EXIT_USAGE, f"See `{program} --help`.")
    except (ValueError, OSError, ImportError) as error:
        return _fail(error, EXIT_FAILED)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _fail(error: Exception, status: int, remedy: str = "") -> int:
    if _TRACEBACK in flags.FLAGS and flags.FLAGS[_TRACEBACK].value:
        traceback.print_exception(type(error), error, error.__traceback__)
    message = _message(error)
    stop = "" if message.endswith((".", "!", "?")) else "."
    print(f"error: {message}{stop} {remedy}".rstrip(), file=sys.stderr)
    return status


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return str(error) or type(error).__name__


def _parse(argv: Sequence[str], own: Sequence[str]) -> None:
    try:
        rest = flags.FLAGS(list(argv))
    except flags.UnrecognizedFlagError as error:
        known = [*own, "help"]
        near = difflib.get_close_matches(error.flagname.replace("-", "_"), known, n=1)
        hint = f" Did you mean --{near[0]}?" if near else ""
        raise UsageError(f"there is no flag --{error.flagname}.{hint}") from None
    except flags.IllegalFlagValueError as error:
        if _NOT_GIVEN not in str(error):
            raise _wrong_value(error) from None
        missing = [f"--{n}" for n in own if _is_required(n) and flags.FLAGS[n].value is None]
        raise UsageError(f"{' and '.join(missing)} must be given.") from None
    if len(rest) > 1:
        raise UsageError(f"arguments must be flags (--name=value), got {rest[1]!r}.")


def _wrong_value(error: flags.IllegalFlagValueError) -> Exception:
    """What a person is told of a value that a flag cannot have."""
    found = re.match(r"flag --(\w+)=(.*?): ", str(error), re.DOTALL)
    if not found or found[1] not in flags.FLAGS:
        return error
    name, value = found.groups()
    parser = flags.FLAGS[name].parser
    near = difflib.get_close_matches(value, getattr(parser, "enum_values", None) or (), n=1)
    if near:
        return UsageError(f"{error}. Did you mean --{name}={near[0]}?")
    number = _NUMBERS.get(parser.flag_type())
    try:
        float(value)
    except ValueError:
        return UsageError(f"--{name} must be {number}, got {value!r}.") if number else error
    is_whole = parser.flag_type() != "int" or re.fullmatch(r"\s*[+-]?\d+\s*", value)
    return error if is_whole else UsageError(f"--{name} must be {number}, got {value!r}.")


def _program(main) -> str:
    spec = main.__globals__.get("__spec__")
    module = spec.name if spec else main.__module__
    for name, (command_module, _) in commands.COMMANDS.items():
        if module == command_module:
            return f"spine-tf {name}"
    return f"python -m {module}"


def flag_facts(define_flags: Callable[[], None]) -> list[flag_help.Fact]:
    """Returns what a person sees of the flags that `define_flags` defines."""
    with _defined(define_flags) as own:
        return [_fact(name) for name in own]


def _fact(name: str) -> flag_help.Fact:
    flag = flags.FLAGS[name]
    text = _help_text(flag.help or "")
    if flag.boolean:
        return flag_help.Fact(name, text, "", default="yes" if flag.default else "no")
    default = "" if flag.default in (None, "", (), []) else str(flag.default_as_str).strip("'")
    return flag_help.Fact(
        name,
        text,
        _value_name(flag.parser),
        tuple(getattr(flag.parser, "enum_values", None) or ()),
        default,
        _is_required(name),
    )


def _help_text(text: str) -> str:
    """The text without what absl adds to it."""
    if text.startswith("<") and ">: " in text:  # the choices
        text = text.split(">: ", 1)[1]
    text = text.split(";\n    repeat this option")[0]
    return "" if text == "(no help available)" else text


def _value_name(parser: flags.ArgumentParser) -> str:
    names = {"int": "INT", "float": "FLOAT"}
    return names.get(parser.flag_type(), "A,B,..." if "list" in parser.flag_type() else "TEXT")


def _is_required(name: str) -> bool:
    return any(_NOT_GIVEN in validator.message for validator in flags.FLAGS[name].validators)


# === Flags ===


def required(*names: str) -> None:
    """Makes flags that were defined with default None required."""
    flags.mark_flags_as_required(list(names))


def check_exist(*names: str) -> None:
    """Checks the paths that flags give, before anything heavy is imported.

    Args:
        names: The flags; one without a value, or with an address such as s3://..., is passed over.

    Raises:
        FileNotFoundError: If there is no such file or folder.
    """
    for path in (flags.FLAGS[name].value for name in names):
        if path and "://" not in path and not os.path.exists(path):
            raise FileNotFoundError(f"{path}: there is no such file or folder.")


def whole_numbers(name: str) -> list[int]:
    """Returns the different numbers of a list flag, in rising order.

    Raises:
        UsageError: If one is not a whole number.
    """
    texts = flags.FLAGS[name].value or []
    try:
        return sorted({int(text) for text in texts})
    except ValueError as error:
        raise UsageError(f"--{name} must be whole numbers, got {','.join(texts)}.") from error


# === The `spine-tf` command ===


def dispatch(argv: Sequence[str] | None = None) -> int:
    """Runs `spine-tf COMMAND --flags`; the console entry point.

    Args:
        argv: What comes after `spine-tf`; None takes the arguments of this process.

    Returns:
        The exit status, unless the command's module exits itself.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        _show(versions(), sys.stdout)
        return EXIT_DONE
    if arguments[:1] == ["help"] and len(arguments) == 2:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in (*_HELP_WORDS, "help"):
        _show(commands.page(), sys.stdout if arguments else sys.stderr)
        return EXIT_DONE if arguments else EXIT_USAGE
    name, *rest = arguments
    if name not in commands.COMMANDS:
        near = difflib.get_close_matches(name.replace("_", "-"), commands.COMMANDS, n=1)
        hint = f" Did you mean `spine-tf {near[0]}`?" if near else ""
        print(f"error: there is no command {name!r}.{hint} See `spine-tf --help`.", file=sys.stderr)
        return EXIT_USAGE
    sys.argv = [f"spine-tf {name}", *rest]
    runpy.run_module(commands.COMMANDS[name][0], run_name="__main__", alter_sys=True)
    return EXIT_DONE


def versions() -> str:
    """Returns what `spine-tf --version` prints; imports no library for it."""
    lines = [f"spine_tf {spine_tf.__version__}"]
    for name in ("tensorflow", "keras"):
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join([*lines, f"Python {platform.python_version()}"])


if __name__ == "__main__":
    sys.exit(dispatch())
