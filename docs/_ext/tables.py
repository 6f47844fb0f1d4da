"""The pages that follow from the tables of the package, so that whatever is added to a table is documented."""

from __future__ import annotations

import re
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def pages() -> dict[str, str]:
    """The generated pages by their names."""
    return {
        "methods": methods(),
        "energies": energies(),
        "damage": damage(),
        "files": files(),
        "command_line": command_line(),
        "changelog": changelog(),
    }


def methods() -> str:
    """Every method, with its presets."""
    from skinpaint.methods import METHODS, names_of

    rows = []
    for name, target in METHODS.items():
        names = ", ".join(f'``"{each}"``' for each in names_of(name))
        rows.append(f"   * - :class:`~skinpaint.{target.partition(':')[2]}`\n     - {names}")
    classes = [target.partition(":")[2] for target in METHODS.values()]
    table = ".. list-table::\n   :header-rows: 1\n\n   * - Class\n     - Names\n" + "\n".join(rows)
    said = f"A method is given by its name, or as an object with settings.\n\n{table}"
    return page("Methods", said, "skinpaint", classes)


def energies() -> str:
    """Every energy, and what they are made of."""
    from skinpaint.energies import ENERGIES

    names = ", ".join(f"``{name}``" for name in ENERGIES)
    said = f"Ready-made instances with the default settings: {names}."
    classes = [type(energy).__name__ for energy in ENERGIES.values()]
    return page("Energies", said, "skinpaint.energies", [*classes, "Sum", "Energy"])


def damage() -> str:
    """Every kind of damage."""
    from skinpaint.damage import DAMAGES

    names = ", ".join(f"``--kind {name}``" for name in DAMAGES)
    said = f"For trials. On the command line, ``skinpaint damage`` knows {names}."
    return page("Damage", said, "skinpaint.damage", [kind.__name__ for kind in DAMAGES.values()])


def files() -> str:
    """Every file format."""
    from skinpaint.io import FORMATS, READABLE

    said = {suffix: name if suffix in FORMATS else f"{name}, only read" for suffix, name in READABLE.items()}
    rows = "\n".join(f"   * - ``{suffix}``\n     - {name}" for suffix, name in said.items())
    table = f".. list-table::\n   :header-rows: 1\n\n   * - Suffix\n     - Format\n{rows}"
    names = ["read", "write", "read_mask", "Extras", "MetadataWarning", "check_target", "check_place", "is_lossless"]
    return page("Files", f"Files that can be read and written:\n\n{table}", "skinpaint.io", [*names, "whole_file"])


def command_line() -> str:
    """The help of every command."""
    from skinpaint.cli.main import COMMANDS, parser

    top = parser()
    (commands,) = (action for action in top._actions if isinstance(action.choices, dict))
    parts = [f"{title('Command line', '=')}\n.. code-block:: text\n\n{indented(top.format_help())}"]
    for name in COMMANDS:
        said = commands.choices[name].format_help()
        parts.append(f"{title(f'skinpaint {name}', '-')}\n.. code-block:: text\n\n{indented(said)}")
    return "\n".join(parts)


def changelog() -> str:
    """CHANGELOG.md, whose lists and code are written as here."""
    text = CHANGELOG.read_text(encoding="utf-8")
    for sign, line in (("#", "="), ("##", "-"), ("###", "^")):
        text = re.sub(rf"^{sign} (.*)\n", lambda m, line=line: title(m[1], line), text, flags=re.MULTILINE)
    return text


def page(heading: str, said: str, module: str, names: list[str]) -> str:
    """A page with a table of names, each of which gets a page of its own."""
    listed = "\n".join(f"   {name}" for name in names)
    summary = f".. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: api\n\n{listed}\n"
    return f"{title(heading, '=')}\n{said}\n\n{summary}"


def title(text: str, line: str) -> str:
    """A heading."""
    return f"{text}\n{line * len(text)}\n"


def indented(text: str) -> str:
    """Text as the body of a directive."""
    return "".join(f"   {line}" if line.strip() else line for line in text.splitlines(keepends=True))
