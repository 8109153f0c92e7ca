"""The script is run by bash, as at a prompt; zsh and fish were tried by hand."""

import subprocess

import pytest

from spine_tf import cli, commands, completion

_ASK = """
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_spine_tf
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(name="printed", scope="module")
def _printed():
    """Shell -> its script."""
    facts = completion.all_facts()
    return {name: make(facts) for name, make in completion.SCRIPTS.items()}


@pytest.mark.parametrize(
    "words, found",
    [
        ("tr", ["train"]),
        ("train --pre", ["--preset=", "--precision="]),
        ("train --noxl", ["--noxla"]),
        ("train --precision =", ["float32", "mixed_bfloat16", "mixed_float16"]),
        ("train --preset = t", ["tiny"]),
        ("train --data_dir = x", []),  # left to the shell, which completes names of files
        ("grade --tr", ["--traceback"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("nonsense --", []),
    ],
)
def test_bash(printed, words, found):
    process = subprocess.run(
        ["bash", "-c", printed["bash"] + _ASK, "bash", "spine-tf", *words.split(" ")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (process.stdout.split(), process.stderr) == (found, "")


@pytest.mark.parametrize("shell, sign", [("zsh", "--{}="), ("fish", "-l {} ")])
def test_every_command_and_flag_is_in_it(printed, shell, sign):
    facts = completion.all_facts()
    assert set(facts) == set(commands.COMMANDS) - {"completion"}
    for command, found in facts.items():
        lines = [line for line in printed[shell].splitlines() if command in line]
        for fact in found:
            assert any(
                sign.format(fact.name) in line or f"--{fact.name}[" in line for line in lines
            )


def test_quotes_and_colons_are_escaped(printed):
    assert "SPIDER\\'s folder" in printed["fish"]
    assert "SPIDER'\"'\"'s folder" in printed["zsh"]
    assert "DICOM studies\\: a folder" in printed["zsh"]


def test_the_command_prints_it(printed, capsys):
    assert cli.call(completion.define_flags, completion.main, ["--shell=bash"]) == cli.EXIT_DONE
    assert capsys.readouterr().out == printed["bash"]
