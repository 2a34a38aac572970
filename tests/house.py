#!/usr/bin/env python3
"""Rules of the house that take more than a pattern to check. Prints each breach as `rule: file:line: text` and exits 1, or prints nothing.

- A line of a comment in Rust has 120 columns at most. A line with a URL and a row of a table may be longer.
- A public type name means one thing: no two `pub` types of one name in the crates that ship.
- A citation points at something: a document, section, point, promise or check that is there, and in the documents a file or test that is there.

`tests/house_test.py` tests this file.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import rooms

COLUMNS = 120
SHIPPED = ("shared/src/", "translation/src/", "data-plane/src/", "control-plane/src/")
CITING = (".rs", ".py", ".mjs", ".go", ".md", ".sql", ".proto", ".toml", ".sh")

# Where a line goes on: the line break, with the marks of the comment or the quote of the next line.
CONTINUED = re.compile(r"\n[ \t]*(?:///?!?|#(?![#\[!])|--|\*|>)?[ \t]*")


def words(pattern):
    """A pattern in which a blank stands for any number of them, as a line break leaves."""
    return re.compile(pattern.replace(" ", " +"))


NUMBER = r"\d+(?:\.\d+)*"
LIST = r"{0}(?:(?:,? (?:and|or|to) |, ){0})*"
DOCUMENT = re.compile(r"(?<![\w/.-])docs/([\w-]+\.md)\b|\]\(([A-Z]+\.md)\)")
SECTIONS = words(
    rf"(?:docs/([\w-]+\.md)\b`?|\]\((?:docs/)?([A-Z]+\.md)\))(?:\]\([^)]*\))?,? sections? ({LIST.format(NUMBER)})(?:,? points? ({LIST.format(NUMBER)}))?"
)
PROMISE = words(rf"\b[Pp]romises? ({LIST.format(r'[0-9]+')})\b")
PROMISE_TEST = re.compile(r"\bfn p(\d\d)_|\bdef test_p(\d\d)_")
CHECK = words(rf"\b[Cc]hecks? ({LIST.format(r'[A-Z][0-9]+')})\b")
TYPE = re.compile(rf"^[ \t]*pub\s+(?:struct|enum|trait|type|union)\s+({rooms.WORD})", re.M)
TOP = "control-plane|data-plane|deploy|docs|helm|migrations|proto|shared|tests|translation"
FILE = re.compile(rf"`((?:{TOP})/[^`\s]*)`")
TEST_NAME = re.compile(r"`(p\d\d_\w+)`")


def long_comments(files):
    for path, text in files.items():
        if path.endswith(".rs"):
            for number, line in enumerate(text.split("\n"), 1):
                comment = re.match(r"\s*//[/!]?\s*", line)
                if comment and len(line) > COLUMNS and "://" not in line and not line[comment.end() :].startswith("|"):
                    yield f"comment over {COLUMNS} columns: {path}:{number}: {len(line)}"


def types_of_one_name(files):
    places = defaultdict(list)
    for path, text in files.items():
        if path.startswith(SHIPPED) and path.endswith(".rs") and not re.search(r"(^|/)tests(/|\.rs$)", path):
            code = rooms.without_tests(rooms.bare(text))
            for name in TYPE.findall(code):
                places[name].append(path)
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            yield f"two types of one name: {name}: {', '.join(sorted(paths))}"


def numbers(text):
    return re.findall(NUMBER, text)


def spelt_out(text):
    """The parts of a list such as `A1, A3 to A5`, with those that `to` stands for."""
    parts = re.findall(r"([A-Z]?)(\d+)|(\bto\b)", text)
    listed, through = [], False
    for letter, number, to in parts:
        if to:
            through = True
            continue
        first = int(listed[-1][1:] if letter else listed[-1]) + 1 if through else int(number)
        listed += [f"{letter}{value}" for value in range(first, int(number) + 1)]
        through = False
    return listed


def sections_of(document):
    """The numbers that a document gives to its headings and paragraphs: section -> its text up to the next heading."""
    found, at = {}, None
    for line in document.split("\n"):
        heading = re.match(rf"#+ ({NUMBER})\.? ", line)
        paragraph = re.match(rf"(?:[-*] )?\*\*({NUMBER})\*\*", line)
        if line.startswith("#"):
            at = heading.group(1) if heading else at
        if heading:
            found[at] = ""
        elif paragraph:
            found[paragraph.group(1)] = ""
        if at is not None:
            found[at] += line + "\n"
    return found


def citations(files):
    documents = {path.removeprefix("docs/"): text for path, text in files.items() if re.fullmatch(r"docs/[\w-]+\.md", path)}
    sections = {name: sections_of(text) for name, text in documents.items()}
    promises = sections.get("PROMISES.md", {})
    checks = set(re.findall(r"^\| ([A-Z]\d+) \|", documents.get("CONFORMANCE.md", ""), re.M))
    tests = {name for path, text in files.items() if path.endswith(".rs") for name in re.findall(r"\bfn (p\d\d_\w+)", text)}
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}

    def there(place):
        """Whether a path of a document is there. `{a,b}` stands for each of these, `*` and `…` for anything."""
        braces = re.search(r"\{([^}]*)\}", place)
        if braces:
            return all(there(place[: braces.start()] + part + place[braces.end() :]) for part in braces.group(1).split(","))
        place = place.rstrip("/")
        if re.search(r"[*…<]", place):
            pattern = re.compile(re.sub(r"\\\*|…|<[^>]*>", "[^/]*", re.escape(place)))
            return any(map(pattern.fullmatch, [*files, *folders]))
        return place in files or place in folders or place.startswith("tests/run ") or place.endswith("/target")

    for path, text in files.items():
        if not (path.endswith(CITING) or "." not in path.rsplit("/", 1)[-1]) or path in OWN:
            continue
        # The same text in one line: each character stays in its place.
        flat = CONTINUED.sub(lambda found: " " * len(found.group(0)), text)
        breaches = []
        for found in DOCUMENT.finditer(flat):
            name = found.group(1) or found.group(2)
            if name not in documents and f"{path.rsplit('/', 1)[0]}/{name}" not in files and name not in files:
                breaches.append((found, f"there is no docs/{name}"))
        for found in SECTIONS.finditer(flat):
            name = found.group(1) or found.group(2)
            known = sections.get(name, {})
            cited = numbers(found.group(3))
            breaches += [(found, f"docs/{name} has no section {number}") for number in cited if number not in known]
            for point in numbers(found.group(4) or ""):
                if not re.search(rf"^{point}\. ", known.get(cited[-1], ""), re.M):
                    breaches.append((found, f"docs/{name} section {cited[-1]} has no point {point}"))
        cited = [(found, number) for found in PROMISE.finditer(flat) for number in spelt_out(found.group(1))]
        cited += [(found, str(int(found.group(1) or found.group(2)))) for found in PROMISE_TEST.finditer(text)]
        breaches += [(found, f"docs/PROMISES.md has no promise {number}") for found, number in cited if number not in promises]
        for found in CHECK.finditer(flat):
            missing = [check for check in spelt_out(found.group(1)) if check not in checks]
            breaches += [(found, f"docs/CONFORMANCE.md has no check {check}") for check in missing]
        if path.startswith("docs/"):
            breaches += [(found, f"there is no {found.group(1)}") for found in FILE.finditer(text) if not there(found.group(1))]
            breaches += [(found, f"there is no test {found.group(1)}") for found in TEST_NAME.finditer(text) if found.group(1) not in tests]
        for found, problem in breaches:
            yield f"citation of nothing: {path}:{text.count(chr(10), 0, found.start()) + 1}: {problem}"


# These files speak of citations that do not exist.
OWN = ("tests/house.py", "tests/house_test.py")


def tree():
    """Each file of the repository that is text, by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=rooms.ROOT, check=True, capture_output=True
    )
    files = {}
    for path in listed.stdout.decode().split("\0"):
        file = rooms.ROOT / path
        if path and file.is_file() and not path.startswith("tests/fixtures/"):
            try:
                files[path] = file.read_text()
            except UnicodeDecodeError:
                continue
    return files


def breaches(files):
    yield from long_comments(files)
    yield from types_of_one_name(files)
    yield from citations(files)


def main():
    lines = list(breaches(tree()))
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
