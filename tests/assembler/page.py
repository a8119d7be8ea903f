"""The generated parts of docs/assembler.md: what equals GNU as, and the usual mistakes.

    python -m tests.assembler.page

asks GNU as about the mistakes, keeps its answers beside them, and writes the tables between
their markers.  What the tables say of forms and directives is what test_shapes.py and
test_snippets.py prove.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from assembler import AssemblyError, Source, assemble
from assembler.forms import SYNTAXES
from assembler.warnings import KINDS

from . import deliberate
from .gnu import AS, FLAGS
from .test_shapes import MNEMONICS, WITHDRAWN, lines
from .test_snippets import ALL, expected

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "assembler.md"
MISTAKES = Path(__file__).with_name("mistakes")
COMMAND = "python -m tests.assembler.page"
LABEL = re.compile(r"^[\w.$]+\s*:(?!:)\s*")


def words(snippet: str) -> set[str]:
    """The directives that a snippet is about."""
    out = set()
    for statement in re.split(r"[|;]", snippet):
        text = LABEL.sub("", statement.strip())
        found = re.match(r"\.[a-z0-9_.]+", text)
        if found:
            out.add(found[0])
    return out


def verdicts() -> dict[str, str]:
    """What GNU as and we make of every snippet, as the tests hold us to it."""
    return {snippet: min(expected(snippet)) for snippet in ALL}


def forms_table() -> str:
    """One row for each group of mnemonics with the same operands."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in MNEMONICS:
        if name in WITHDRAWN or name.endswith((".aq", ".rl", ".aqrl")):
            continue
        forms = tuple(s.partition(" ")[2] or "none" for s in SYNTAXES[name])
        groups.setdefault(forms, []).append(name)
    rows = ["| mnemonics | operands | equal to GNU as |", "|---|---|---|"]
    for forms, names in groups.items():
        shown = " ".join(f"`{n}`" for n in names)
        rows.append(
            f"| {shown} | {'; '.join(f'`{f}`' if f != 'none' else f for f in forms)} | yes |"
        )
    total = len(lines())
    rows += ["", f"Tried: {total:,} combinations of {len(MNEMONICS)} mnemonics with up to four "
             "operands; `lr`, `sc` and `amo` also with `.aq`, `.rl` and `.aqrl`."]  # fmt: skip
    return "\n".join(rows)


def directives_table() -> str:
    """One row for each directive that the snippets use."""
    found = verdicts()
    equal: dict[str, int] = {}
    different: dict[str, int] = {}
    for snippet, word in found.items():
        for name in words(snippet):
            table = equal if word in ("equal", "refused") else different
            table[name] = table.get(name, 0) + 1
    rows = ["| directive | sources | equal to GNU as | on purpose not |", "|---|--:|--:|--:|"]
    for name in sorted(equal.keys() | different.keys()):
        same, other = equal.get(name, 0), different.get(name, 0)
        if same:
            rows.append(f"| `{name}` | {same + other} | {'yes' if not other else same} "
                        f"| {other or ''} |")  # fmt: skip
    count = sum(word in ("equal", "refused") for word in found.values())
    rows += ["", f"Tried: {len(found)} sources, {count} with the same result."]
    return "\n".join(rows)


def differences_list() -> str:
    """The deliberate differences."""
    out = []
    for title, table in (
        ("GNU as takes, we refuse:", deliberate.REFUSED),
        ("We take, GNU as refuses:", deliberate.TAKEN),
        ("Both take, with another result:", deliberate.OTHERWISE),
    ):
        out += [title, ""]
        for reason, snippets in table.items():
            shown = ", ".join(f"`` {s.replace('|', ' ⏎ ')} ``" for s in snippets[:3])
            out.append(f"* {reason}: {shown}")
        out.append("")
    return "\n".join(out).rstrip()


def warnings_table() -> str:
    """The kinds of warnings."""
    rows = ["| name | finds |", "|---|---|"]
    return "\n".join(rows + [f"| `{k.name}` | {k.meaning} |" for k in KINDS])


def our_answer(path: Path) -> str:
    """What we say about a mistake."""
    try:
        image = assemble(Source(path.name, path.read_text()))
    except AssemblyError as error:
        return "\n\n".join(d.render() for d in error.diagnostics)
    return "\n\n".join(w.render() for w in image.warnings)


def gnu_answer(path: Path) -> str:
    """What GNU as says about a mistake."""
    assert AS is not None
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [AS, *FLAGS, path.name, "-o", f"{folder}/a.o"], capture_output=True, cwd=path.parent,
            check=False, text=True,
        )  # fmt: skip
    return done.stderr.strip() or "(nothing: it is assembled)"


def mistakes() -> list[Path]:
    """The sources with a mistake each."""
    return sorted(MISTAKES.glob("*.s"))


def mistakes_text() -> str:
    """Every mistake, our message and GNU's."""
    out = []
    for number, path in enumerate(mistakes(), 1):
        title = path.stem.partition("_")[2].replace("_", " ")
        gnu = path.with_suffix(".gnu").read_text().rstrip()
        out += [f"### {number}. {title[0].upper() + title[1:]}", "", "```text", our_answer(path),
                "```", "", "GNU as:", "", "```text", gnu, "```", ""]  # fmt: skip
    return "\n".join(out).rstrip()


def parts() -> dict[str, str]:
    """The generated parts by name."""
    return {
        "forms": forms_table(),
        "directives": directives_table(),
        "differences": differences_list(),
        "warnings": warnings_table(),
        "mistakes": mistakes_text(),
    }


def part(text: str, name: str) -> str:
    """What stands between the markers of a part."""
    begin, end = f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"
    return text[text.index(begin) + len(begin) : text.index(end)]


def with_part(text: str, name: str, content: str) -> str:
    """The page with another content between the markers."""
    return text.replace(
        f"<!-- {name}: begin -->\n{part(text, name)}\n<!-- {name}: end -->",
        f"<!-- {name}: begin -->\n{content}\n<!-- {name}: end -->",
    )


def main() -> int:
    """Write the page and GNU's answers; 2 without GNU as."""
    if AS is None:
        print("riscv64-unknown-elf-as is not installed: nothing to compare with", file=sys.stderr)
        return 2
    for path in mistakes():
        path.with_suffix(".gnu").write_text(gnu_answer(path) + "\n")
    text = PAGE.read_text(encoding="utf-8")
    for name, content in parts().items():
        text = with_part(text, name, content)
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    print(f"{PAGE.relative_to(ROOT)}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
