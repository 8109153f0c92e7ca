import dataclasses
import enum
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from spine_tf import cli, commands, dataclass_flags

_ROOT = pathlib.Path(__file__).parents[2]


class _Side(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


@dataclasses.dataclass(frozen=True)
class _Config:
    name: str = dataclasses.field(metadata={"help": "What it is called."})
    epochs: int = dataclasses.field(default=3, metadata={"help": "How many."})
    rate: float = 0.5
    shuffle: bool = True
    limit: int | None = None
    sizes: tuple[int, ...] = (1, 2)
    side: _Side = _Side.LEFT
    preset: str = dataclasses.field(default="tiny", metadata={"choices": ("tiny", "full")})
    hidden: int = 7

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError(f"`epochs` must be positive, got {self.epochs}.")


def _define_flags():
    dataclass_flags.define(_Config, skip=("hidden",))


def _call(*arguments, result=None):
    """Returns the exit status and the config that `main` was given, None if it was not reached."""
    seen = []

    def main(argv):
        seen.append(dataclass_flags.make(_Config, skip=("hidden",)))
        if isinstance(result, BaseException):
            raise result
        return result

    return cli.call(_define_flags, main, arguments), seen[0] if seen else None


def test_defaults_and_status():
    assert _call("--name=a") == (cli.EXIT_DONE, _Config(name="a"))
    assert _call("--name=a", result=cli.EXIT_REJECTED)[0] == 3


def test_every_type_of_field():
    _, config = _call(
        "--name=b", "--epochs=9", "--rate", "1e-3", "--noshuffle", "--limit=4",
        "--sizes=3, 4,5", "--side=right", "--preset=full",
    )  # fmt: skip
    assert config == _Config("b", 9, 0.001, False, 4, (3, 4, 5), _Side.RIGHT, "full", hidden=7)


def test_flags_are_forgotten_after_the_call():
    before = set(flags.FLAGS)
    _call("--name=a", "--epochs=9")
    assert set(flags.FLAGS) == before
    assert _call("--name=a")[1].epochs == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "--name must be given."),
        (("--name=a", "--epocs=1"), "there is no flag --epocs. Did you mean --epochs?"),
        (("--name=a", "--xyzzy=1"), "there is no flag --xyzzy."),
        (("--name=a", "--epochs=one"), "--epochs must be a whole number, got 'one'."),
        (("--name=a", "--epochs=1.5"), "--epochs must be a whole number, got '1.5'."),
        (("--name=a", "--hepl"), "there is no flag --hepl. Did you mean --help?"),
        (("--name=a", "--side=lefd"), "one of <left|right>. Did you mean --side=left?"),
        (("--name=a", "--epochs=0"), "`epochs` must be positive, got 0."),
        (("--name=a", "--sizes=1,x"), "value should be INT values separated by commas"),
        (("--name=a", "--side=up"), "value should be one of <left|right>"),
        (("--name=a", "file.dcm"), "arguments must be flags (--name=value), got 'file.dcm'."),
        (("--name",), "Missing value for flag --name"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(capsys, arguments, message):
    status, config = _call(*arguments)
    error = capsys.readouterr().err
    assert (status, config) == (cli.EXIT_USAGE, None)
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error and "--help" in error


@pytest.mark.parametrize(
    "raised, message",
    [
        (ValueError("`margin` must be positive, got -1."), "`margin` must be positive, got -1."),
        (
            FileNotFoundError(2, "No such file or directory", "a/b"),
            "a/b: No such file or directory.",
        ),
        (ImportError("tensorflow-addons is missing."), "tensorflow-addons is missing."),
        (ValueError(), "ValueError."),
    ],
)
def test_failure_is_one_line_and_status_1(capsys, raised, message):
    assert _call("--name=a", result=raised)[0] == cli.EXIT_FAILED
    assert capsys.readouterr().err == f"error: {message}\n"


def test_traceback_on_request(capsys):
    assert _call("--name=a", "--traceback", result=ValueError("wrong"))[0] == cli.EXIT_FAILED
    error = capsys.readouterr().err
    assert error.startswith("Traceback") and error.endswith("error: wrong.\n")


def test_a_bug_is_not_hidden():
    with pytest.raises(KeyError):
        _call("--name=a", result=KeyError("bug"))


def test_interrupt():
    assert _call("--name=a", result=KeyboardInterrupt())[0] == cli.EXIT_INTERRUPTED == 130


def test_help_shows_own_flags_and_exits_0(capsys):
    assert _call("--help") == (cli.EXIT_DONE, None)
    output = capsys.readouterr().out
    for line in (
        "--name=TEXT  (required)\n",
        "What it is called.",
        "--epochs=INT  (default: 3)",
        "--shuffle  or  --noshuffle  (default: yes)",
        "--limit=INT\n",
        "--sizes=A,B,...  (default: 1,2)",
        "--side=left|right  (default: left)",
        "--preset=tiny|full  (default: tiny)",
    ):
        assert line in output
    assert "hidden" not in output and "no help" not in output


def test_values_may_come_from_the_script():
    def main(argv):
        config = dataclass_flags.make(_Config, skip=("hidden",), name="given")
        assert config.name == "given"

    assert cli.call(_define_flags, main, ["--name=flag"]) == 0


@pytest.mark.parametrize("text, found", [("2,0,2", [0, 2]), ("1,x", None)])
def test_whole_numbers(capsys, text, found):
    seen = []

    def define():
        flags.DEFINE_list("seeds", ["0"], "Seeds.")

    status = cli.call(
        define, lambda argv: seen.extend(cli.whole_numbers("seeds")), [f"--seeds={text}"]
    )
    if found is None:
        assert status == cli.EXIT_USAGE
        assert "--seeds must be whole numbers, got 1,x." in capsys.readouterr().err
    else:
        assert (status, seen) == (cli.EXIT_DONE, found)


def test_two_flags_of_one_name_are_refused():
    def define_flags():
        flags.DEFINE_integer("epochs", 1, "")
        dataclass_flags.define(_Config)

    with pytest.raises(ValueError, match="must not be the name of an existing flag"):
        cli.call(define_flags, lambda argv: None, [])


def test_a_field_that_cannot_be_a_flag_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Odd:
        values: dict = dataclasses.field(default_factory=dict)

    with pytest.raises(TypeError, match="`values` must have a type that can be a flag"):
        cli.call(lambda: dataclass_flags.define(Odd), lambda argv: None, [])


# === The `spine-tf` command ===


def test_command_list(capsys):
    assert cli.dispatch(["--help"]) == cli.EXIT_DONE
    output = capsys.readouterr().out
    for name, (_, text) in commands.COMMANDS.items():
        assert f"  {name} " in output and text in output


def test_help_of_a_command(capfd):
    process = subprocess.run([sys.executable, "-m", "spine_tf.cli", "help", "train"])
    assert process.returncode == 0
    assert capfd.readouterr().out.startswith("usage: spine-tf train --flag=value")


def test_versions(capsys):
    assert cli.dispatch(["--version"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["spine_tf", "tensorflow", "keras", "Python"]


def test_no_command_is_wrong_usage(capsys):
    assert cli.dispatch([]) == cli.EXIT_USAGE
    assert "commands:" in capsys.readouterr().err


def test_unknown_command_suggests_the_near_one(capsys):
    assert cli.dispatch(["convert_dicm"]) == cli.EXIT_USAGE
    error = capsys.readouterr().err
    assert "'convert_dicm'" in error and "`spine-tf convert-dicom`" in error


def test_dispatch_runs_a_module_as_main(tmp_path, monkeypatch, capsys):
    script = (
        '"""Says hello."""\n'
        "from absl import flags\n"
        "from spine_tf import cli\n"
        "def define_flags():\n"
        '    flags.DEFINE_string("who", "you", "Whom.")\n'
        "def main(argv):\n"
        "    print(argv[0], flags.FLAGS.who)\n"
        "    return 3\n"
        'if __name__ == "__main__":\n'
        "    cli.run(define_flags, main)\n"
    )
    (tmp_path / "hello_script.py").write_text(script)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(commands.COMMANDS, "hello", ("hello_script", "Says hello."))
    monkeypatch.setattr(sys, "argv", ["spine-tf"])
    with pytest.raises(SystemExit) as stopped:
        cli.dispatch(["hello", "--who=me"])
    assert stopped.value.code == cli.EXIT_REJECTED
    assert capsys.readouterr().out == "spine-tf hello me\n"


def test_a_value_may_come_first_without_its_name(monkeypatch, capsys):
    def define_flags():
        flags.DEFINE_string("who", "you", "Whom.")

    for arguments in (["me"], ["--who=me"]):
        monkeypatch.setattr(sys, "argv", ["script", *arguments])
        with pytest.raises(SystemExit):
            cli.run(define_flags, lambda argv: print(flags.FLAGS.who), first="who")
        assert capsys.readouterr().out == "me\n"


_HELP = """
import sys
from spine_tf import cli
name = sys.argv[1]
for flag, status in (("--help", 0), ("--tracebak", 2)):
    try:
        cli.dispatch([name, flag])
    except SystemExit as stopped:
        assert stopped.code == status, stopped.code
heavy = {"tensorflow", "keras", "apache_beam", "matplotlib", "sklearn"} & set(sys.modules)
assert not heavy, f"--help must not import {heavy}; import it inside main"
"""


@pytest.mark.parametrize("name", list(commands.COMMANDS))
def test_every_command_helps_without_importing_anything_heavy(name):
    process = subprocess.run(
        [sys.executable, "-c", _HELP, name], cwd=_ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"usage: spine-tf {name} ")
    assert "there is no flag --tracebak. Did you mean --traceback?" in process.stderr


def test_status_reaches_the_shell():
    process = subprocess.run(
        [sys.executable, "-m", "spine_tf.cli", "trian"], cwd=_ROOT, capture_output=True, text=True
    )
    assert process.returncode == cli.EXIT_USAGE
    assert process.stderr.startswith("error: there is no command 'trian'.")
