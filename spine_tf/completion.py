"""Prints a script with which the shell completes commands, flags and choices.

    source <(spine-tf completion bash)        in ~/.bashrc
    source <(spine-tf completion zsh)         in ~/.zshrc, after compinit
    spine-tf completion fish > ~/.config/fish/completions/spine-tf.fish

The script holds the commands and flags of the version that printed it.
"""

import importlib
import shlex
from collections.abc import Sequence

from absl import flags

from spine_tf import cli, commands, flag_help

_Facts = dict[str, list[flag_help.Fact]]  # command -> its flags

_BASH = """\
# Completion of spine-tf for bash.
_spine_tf() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} flag= words=
  [[ $before == = ]] && flag=${{COMP_WORDS[COMP_CWORD-2]}}
  [[ $word == = ]] && flag=$before word=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words={commands}
  elif [[ -n $flag ]]; then
    case "${{COMP_WORDS[1]}} $flag" in
{choices}
    esac
  else
    case ${{COMP_WORDS[1]}} in
{flags}
    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}}
complete -o default -F _spine_tf spine-tf
"""

_ZSH = """\
#compdef spine-tf
# Completion of spine-tf for zsh.
_spine_tf() {{
  local -a commands=(
{commands}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{flags}
  esac
}}
if [[ $funcstack[1] == _spine_tf ]]; then _spine_tf "$@"; else compdef _spine_tf spine-tf; fi
"""


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_enum("shell", None, list(SCRIPTS), "Shell, --shell= may be left out.")
    cli.required("shell")


def main(argv: list[str]) -> None:
    """Prints the script."""
    del argv
    print(SCRIPTS[flags.FLAGS.shell](all_facts()), end="")


def all_facts() -> _Facts:
    """Returns command -> its flags, of all commands but this one."""
    return {
        name: cli.flag_facts(importlib.import_module(module).define_flags)
        for name, (module, _) in commands.COMMANDS.items()
        if name != "completion"
    }


def _bash(facts: _Facts) -> str:
    choices = [
        _case(f"{command} --{fact.name}", fact.choices)
        for command, found in facts.items()
        for fact in found
        if fact.choices
    ]
    names = [_case(command, _words(found)) for command, found in facts.items()]
    return _BASH.format(
        commands=shlex.quote(" ".join(commands.COMMANDS)),
        choices="\n".join(choices),
        flags="\n".join([*names, _case("completion", list(SCRIPTS))]),
    )


def _case(pattern: str, words: Sequence[str]) -> str:
    return f"      {shlex.quote(pattern)}) words={shlex.quote(' '.join(words))} ;;"


def _words(found: Sequence[flag_help.Fact]) -> list[str]:
    """All that a flag may begin with."""
    words = []
    for fact in found:
        words += [f"--{fact.name}="] if fact.value else [f"--{fact.name}", f"--no{fact.name}"]
    return [*words, "--help"]


def _zsh(facts: _Facts) -> str:
    listed = [
        f"    {shlex.quote(f'{name}:{text}')}" for name, (_, text) in commands.COMMANDS.items()
    ]
    cases = []
    for command, found in facts.items():
        words = [shlex.quote(word) for fact in found for word in _zsh_words(fact)]
        cases.append(f"    {command}) _arguments {' '.join(words)} '--help[Show all flags]' ;;")
    cases.append(f"    completion) _values shell {' '.join(SCRIPTS)} ;;")
    return _ZSH.format(commands="\n".join(f"    {one}" for one in listed), flags="\n".join(cases))


def _zsh_words(fact: flag_help.Fact) -> list[str]:
    text = _short(fact).translate({ord(c): f"\\{c}" for c in "[]:\\"})
    if not fact.value:
        return [f"--{fact.name}[{text}]", f"--no{fact.name}"]
    values = f"({' '.join(fact.choices)})" if fact.choices else "_files"
    return [f"--{fact.name}=[{text}]:{fact.value}:{values}"]


def _fish(facts: _Facts) -> str:
    lines = ["# Completion of spine-tf for fish."]
    for name, (_, text) in commands.COMMANDS.items():
        lines.append(
            f"complete -c spine-tf -n __fish_use_subcommand -f -a {name} -d {_fish_quote(text)}"
        )
    own = " ".join(SCRIPTS)
    lines.append(f"complete -c spine-tf -n '__fish_seen_subcommand_from completion' -f -a '{own}'")
    for command, found in facts.items():
        begin = f"complete -c spine-tf -n '__fish_seen_subcommand_from {command}'"
        for fact in found:
            end = f"-d {_fish_quote(_short(fact))}"
            if not fact.value:
                lines += [f"{begin} -f -l {fact.name} {end}", f"{begin} -f -l no{fact.name}"]
            elif fact.choices:
                lines.append(f"{begin} -x -l {fact.name} -a '{' '.join(fact.choices)}' {end}")
            else:
                lines.append(f"{begin} -r -l {fact.name} {end}")
    return "\n".join(lines) + "\n"


def _fish_quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _short(fact: flag_help.Fact) -> str:
    """Its first sentence."""
    return fact.text.split(". ")[0].removesuffix(".")


SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}


if __name__ == "__main__":
    cli.run(define_flags, main, first="shell")
