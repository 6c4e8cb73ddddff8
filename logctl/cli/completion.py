"""logctl completion: the lines that teach a shell to complete logctl's words and the cluster's names."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final

import typer

from logctl.cli import output

_BASH: Final = r"""_logctl() {
    local line="${COMP_LINE:0:COMP_POINT}" candidate
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    # bash takes '=' and ':' for ends of words: what stands before the last of them is not to be repeated.
    local typed="${words[-1]}"
    local known="${typed%"${typed##*[=:]}"}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        candidate="${candidate%%$'\t'*}"
        COMPREPLY+=("${candidate#"$known"}")
    done < <(logctl __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _logctl logctl
"""
_ZSH: Final = r"""#compdef logctl
_logctl() {
    local -a candidates
    local line
    while IFS= read -r line; do
        candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done < <(logctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#candidates} )); then
        _describe logctl candidates
    else
        _files
    fi
}
compdef _logctl logctl
"""
_FISH: Final = r"""function __logctl_complete
    set -l words (commandline -opc)
    set -e words[1]
    logctl __complete $words (commandline -ct) 2>/dev/null
end
complete -c logctl -a '(__logctl_complete)'
"""


class Shell(str, Enum):  # noqa: UP042 - Typer shows the values of a str enum as the choices
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS: Final = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def register(app: typer.Typer) -> None:
    """Add `logctl completion`."""
    app.command("completion")(completion_command)


def completion_command(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell to teach.")],
) -> None:
    """Print what makes a shell complete commands, options and the names of topics, groups, brokers and settings.

    \b
    Examples, to be kept for every shell to come, and for this one alone:
      logctl completion bash > ~/.local/share/bash-completion/completions/logctl
      logctl completion zsh > "${fpath[1]}/_logctl"
      logctl completion fish > ~/.config/fish/completions/logctl.fish
      source <(logctl completion bash)
    """
    output.write(SCRIPTS[shell])
