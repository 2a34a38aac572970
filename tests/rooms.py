#!/usr/bin/env python3
"""Holds the order of the rooms: which module may import which, and that no circle of imports spans more than one folder.

    tests/rooms.py                 prints each breach and exits 1, or prints nothing
    tests/rooms.py --circles       prints the circles of each crate, within one folder too
    tests/rooms.py --edges CRATE   prints which room imports which, with one file for each pair

An import is a `use`, or a path written out in the code, resolved to the file in which the item is defined: what a module only hands on with
`pub use` counts as an import of the module that defines it. Code that is compiled for tests only is left out, since a test may look anywhere.
A method does not name the module that defines it, so a call of one is not seen. `tests/rooms_test.py` tests this file.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The rooms of each crate from the top down: a room imports only rooms that stand below it. A line of several rooms is a set of neighbours that do
# not know each other. Every room has to be listed. The root of a crate may import all of them, and none imports from the root.
ORDER = {
    "control-plane": [
        "app",
        "router",
        "admin",
        "state",
        "auth",
        "web",
        "error",
        "jobs",
        "grpc",
        "ledger snapshot",
        "store",
        "config secrets",
    ],
    "shared": [
        "program",
        "config health",
        "serve telemetry",
        "descriptors drain key_news verdict",
        "snapshot",
        "secret",
        "clock",
        "crypto forwarded hosts ids limits marks pb prices time tokens",
    ],
    "data-plane": [
        "app",
        "config control ingress",
        "cache",
        "attempt respond",
        "answer",
        "request",
        "conversations media signatures",
        "auth shelf usage",
        "link route",
        "provider",
        "upstream",
        "opening",
        "body",
        "limit limits metrics",
        "data_dir error node",
    ],
    "translation": [
        "vendors",
        "protocol",
        "optional",
        "back facts object",
        "ir",
        "format json names",
    ],
    "fake-provider": [
        "wire",
        "handle",
        "control replay route",
        "send",
        "anthropic gemini openai",
        "call",
        "chat_request form provider signature stream",
        "body queue shelf speech vector vendor",
        "example fields journal refusal script",
    ],
    "harness": [
        "flood",
        "planes",
        "admin databases metrics ports process",
        "http wait",
    ],
}

# Crates whose circles are counted, with their sources.
CRATES = {
    "shared": "shared/src",
    "translation": "translation/src",
    "data-plane": "data-plane/src",
    "control-plane": "control-plane/src",
    "fake-provider": "tests/support/fake-provider/src",
    "harness": "tests/support/harness/src",
}

WORD = r"[A-Za-z_][A-Za-z0-9_]*"
PATH = re.compile(rf"(?<![A-Za-z0-9_:$'])({WORD}(?:::{WORD})+)")
USE = re.compile(r"(?:^|[;{}\]\s])(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
MOD = re.compile(rf"((?:#\[[^\]]*\]\s*)*)(?:pub(?:\([^)]*\))?\s+)?mod\s+({WORD})\s*;")
MACRO_LIST = re.compile(r"(?<![A-Za-z0-9_])(?:vendors|formats)!\s*\{([^}]*)\}")


def bare(text):
    """`text` without comments and without what stands in literals."""
    pattern = re.compile(
        r"""//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\.[^']*|[^'\\])'""", re.S
    )
    return pattern.sub(lambda found: " " if found.group(0).startswith("/") else '""', text)


def end_of_item(text, at):
    """Where the item, field or statement ends that begins at `at`: behind its `;` or its block, or before the `,` or bracket that follows it."""
    depth = 0
    while at < len(text):
        char = text[at]
        if depth == 0 and char in ",)}":
            return at
        if char in "([{" or (char == "<" and text[at - 1] not in " <"):
            depth += 1
        elif char in ")]}" or (char == ">" and text[at - 1] not in " -=" and depth):
            depth -= 1
        at += 1
        if depth == 0 and char in ";}":
            return at
    return at


def without_tests(text):
    """`text` without items that are compiled for tests only, other than `mod x;`."""
    out, at = [], 0
    for found in re.finditer(r"#\[cfg\(test\)\]", text):
        if found.start() < at:
            continue
        stop = end_of_item(text, found.end())
        if re.search(rf"\bmod\s+{WORD}\s*;$", text[found.end() : stop]):
            continue
        out.append(text[at : found.start()])
        at = stop
    return "".join(out) + text[at:]


def tree(text, prefix=()):
    """The paths of a `use`: (path, name it gets), where the name is `*` for a glob."""
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        depth, start, parts = 0, 1, []
        for at in range(1, len(text) - 1):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if text[at] == "," and depth == 0:
                parts.append(text[start:at])
                start = at + 1
        parts.append(text[start:-1])
        for part in parts:
            if part.strip():
                yield from tree(part, prefix)
        return
    found = re.match(rf"(?:::)?({WORD}|\*)\s*(?:::\s*(.*)|as\s+({WORD}))?$", text, re.S)
    if not found:
        return
    segment, rest, alias = found.groups()
    if rest is not None:
        yield from tree(rest, (*prefix, segment))
    elif segment == "*":
        yield prefix, "*"
    elif segment == "self":
        yield prefix, alias or prefix[-1]
    else:
        yield (*prefix, segment), alias or segment


class Module:
    def __init__(self, path, file, text):
        self.path, self.file, self.text = path, file, text
        self.children, self.names, self.globs = {}, {}, []


class Crate:
    def __init__(self, source):
        self.source = ROOT / source
        self.modules = {}
        root = self.source / "lib.rs"
        self.load((), root if root.exists() else self.source / "main.rs")
        for module in self.modules.values():
            self.bind(module)

    def load(self, path, file):
        text = without_tests(bare(file.read_text()))
        module = self.modules[path] = Module(path, file, text)
        folder = file.parent if file.name in ("lib.rs", "main.rs", "mod.rs") else file.with_suffix("")
        names = [name for attributes, name in MOD.findall(text) if "cfg(test)" not in attributes.replace(" ", "")]
        names += [name for found in MACRO_LIST.findall(text) for name in re.findall(WORD, found)]
        for name in names:
            for candidate in (folder / f"{name}.rs", folder / name / "mod.rs"):
                if candidate.exists():
                    module.children[name] = (*path, name)
                    self.load((*path, name), candidate)
                    break

    def absolute(self, module, path):
        """`path` as it is written in `module`, from the crate's root, or None where it leads out of the crate."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first in ("self", "super"):
            at = module.path
            if first == "super":
                at = at[:-1]
            while rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
            return (*at, *rest)
        if first in module.children:
            return (*module.path, *path)
        if first in module.names:
            return (*module.names[first], *rest)
        return None

    def bind(self, module):
        module.uses = []
        pending = [leaf for use in USE.findall(module.text) for leaf in tree(use)]
        # A use may build on a name that a later one brings.
        for _ in range(2):
            for path, name in pending:
                if not path:
                    continue
                target = self.absolute(module, path)
                if target is None:
                    continue
                if name == "*":
                    if target not in module.globs:
                        module.globs.append(target)
                elif target != (*module.path, name):
                    module.names.setdefault(name, target)

    def resolve(self, path, seen=frozenset()):
        """The module that defines the item at `path`, and whether the path names a module itself."""
        if path in seen:
            return None, False
        seen = seen | {path}
        at = ()
        for depth, segment in enumerate(path):
            module = self.modules[at]
            if segment in module.children:
                at = module.children[segment]
                continue
            rest = path[depth + 1 :]
            if segment in module.names:
                return self.resolve((*module.names[segment], *rest), seen)
            for glob in module.globs:
                if glob in self.modules and self.defines(glob, segment):
                    return self.resolve((*glob, segment, *rest), seen)
            return at, False
        return at, True

    def defines(self, at, name):
        module = self.modules[at]
        return name in module.children or name in module.names or re.search(
            rf"\b(?:struct|enum|trait|fn|const|static|type|union|macro_rules!)\s+{name}\b", module.text
        )

    def edges(self):
        """For each module, the modules whose items it uses."""
        edges = defaultdict(set)
        for module in self.modules.values():
            wanted = set()
            public = set()
            for found in re.finditer(r"(pub(?:\([^)]*\))?\s+)?\buse\s+([^;]+);", module.text):
                for path, name in tree(found.group(2)):
                    target = self.absolute(module, path) if path else None
                    if target is None:
                        continue
                    if found.group(1):
                        public.add((target, name))
                    elif name == "*":
                        edges[module.path].add(self.resolve(target)[0])
                    else:
                        wanted.add(target)
            code = USE.sub(";", module.text)
            for found in PATH.findall(code):
                target = self.absolute(module, tuple(found.split("::")))
                if target is not None:
                    wanted.add(target)
            # A name that is handed on and used here as well counts as used.
            for target, name in public:
                if name != "*" and re.search(rf"\b{name}\b", code):
                    wanted.add(target)
            for target in wanted:
                at, is_module = self.resolve(target)
                if at is not None and not is_module and at != module.path:
                    edges[module.path].add(at)
            edges[module.path] -= {module.path, None}
        return edges

    def folder(self, path):
        file = self.modules[path].file
        if file.name in ("mod.rs", "lib.rs", "main.rs"):
            return file.parent
        inner = file.with_suffix("")
        return inner if any(child for child in self.modules[path].children) else file.parent

    def circles(self):
        """The circles of more than one file, the largest first."""
        edges, index, low, stack, on, found, counter = self.edges(), {}, {}, [], set(), [], [0]
        sys.setrecursionlimit(10000)

        def visit(at):
            index[at] = low[at] = counter[0]
            counter[0] += 1
            stack.append(at)
            on.add(at)
            for to in sorted(edges[at]):
                if to not in index:
                    visit(to)
                    low[at] = min(low[at], low[to])
                elif to in on:
                    low[at] = min(low[at], index[to])
            if low[at] == index[at]:
                circle = []
                while True:
                    last = stack.pop()
                    on.discard(last)
                    circle.append(last)
                    if last == at:
                        break
                if len(circle) > 1:
                    found.append(sorted(circle))

        for at in sorted(self.modules):
            if at not in index:
                visit(at)
        return sorted(found, key=len, reverse=True)


def name(path):
    return "::".join(path) or "the root"


def rooms(crate):
    """Which room imports which: (from, to) -> one example. `to` is empty for the root."""
    pairs = {}
    for at, targets in sorted(crate.edges().items()):
        for to in sorted(targets):
            if at and at[:1] != to[:1]:
                file = crate.modules[at].file.relative_to(crate.source.parent)
                pairs.setdefault((at[0], "".join(to[:1])), f"{file} imports {name(to)}")
    return pairs


def breaches(crates, orders):
    """Each breach of the order, as a line."""
    for label, crate in crates.items():
        for circle in crate.circles():
            if len({crate.folder(path) for path in circle}) > 1:
                yield f"circle of imports: {label}: {', '.join(map(name, circle))}"
        if label not in orders:
            yield f"crate without an order: {label}: give it one in ORDER of tests/rooms.py"
            continue
        place = {room: at for at, line in enumerate(orders[label]) for room in line.split()}
        there = {path[0] for path in crate.modules if path}
        for room in sorted(there - place.keys()):
            yield f"room without a place: {label}: {room}: give it a place in ORDER of tests/rooms.py"
        for room in sorted(place.keys() - there):
            yield f"place without a room: {label}: {room}: take it from ORDER of tests/rooms.py"
        for (at, to), example in sorted(rooms(crate).items()):
            if not to:
                yield f"import from the root: {label}: {example}"
            elif at in place and to in place and place[at] >= place[to]:
                yield f"import that runs back up: {label}: {at} -> {to}: {example}"


def main():
    crates = {label: Crate(source) for label, source in CRATES.items()}
    if sys.argv[1:2] == ["--edges"]:
        for (at, to), example in sorted(rooms(crates[sys.argv[2]]).items()):
            print(f"{at} -> {to or 'the root'}   ({example})")
        return 0
    if sys.argv[1:] == ["--circles"]:
        for label, crate in crates.items():
            for circle in crate.circles():
                folders = {crate.folder(path) for path in circle}
                print(f"{label}: {len(circle)} files, {len(folders)} folders: {', '.join(map(name, circle))}")
        return 0
    lines = list(breaches(crates, ORDER))
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
