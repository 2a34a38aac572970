#!/usr/bin/env python3
"""Tests of `tests/house.py`, on made-up files: each breach is found, and what is allowed is not."""

import unittest

import house

DOCUMENTS = {
    "docs/RULES.md": "# Rules\n\n## 2. Requests\n\n### 2.1 Messages\n\n**2.1.7** Files.\n\n- **2.2** Tools.\n\n"
    "## 13. Points\n\n1. One.\n12. Twelve.\n\n## Unnumbered\n",
    "docs/PROMISES.md": "# Promises\n\n### 1. First\n\nHeld by: `p01_first`.\n\n### 11. Eleventh\n",
    "docs/CONFORMANCE.md": "# Checks\n\n## 10. Checks\n\n| P1 | a |\n| P2 | b |\n",
    "tests/it/first.rs": "fn p01_first() {}\n",
}


class House(unittest.TestCase):
    def told(self, files):
        return list(house.breaches({**DOCUMENTS, **files}))

    def cited(self, text, path="shared/src/lib.rs"):
        return [line.removeprefix("citation of nothing: ") for line in self.told({path: text})]

    def test_comments_have_120_columns_at_most(self):
        def told(line):
            return self.told({"tests/it/a.rs": f"fn a() {{}}\n{line}\n"})

        self.assertEqual(told("    /// " + "ä" * 113), ["comment over 120 columns: tests/it/a.rs:2: 121"])
        self.assertEqual(told("//! " + "a" * 200), ["comment over 120 columns: tests/it/a.rs:2: 204"])
        self.assertEqual(told("/// " + "ä" * 116), [])
        self.assertEqual(told("/// <https://example.com/" + "a" * 120 + ">"), [])
        self.assertEqual(told("/// | " + "a" * 120 + " |"), [])
        self.assertEqual(told("const A: &str = \"// " + "a" * 120 + "\";"), [])

    def test_a_public_type_name_means_one_thing(self):
        files = {
            "shared/src/a.rs": "pub struct Limits;\npub(crate) struct Own;\n",
            "data-plane/src/b.rs": "pub(crate) type Own = u8;\n",
            "data-plane/src/tests.rs": "pub enum Limits {}\n",
            "control-plane/src/c.rs": "#[cfg(test)]\npub struct Limits;\n// pub struct Limits;\n",
            "tests/support/harness/src/lib.rs": "pub struct Limits;\n",
        }
        self.assertEqual(self.told(files), [])
        for kind in ("struct Limits<T>(T);", "enum Limits {}", "trait Limits {}", "type Limits = u8;"):
            told = self.told({**files, "translation/src/d.rs": f"pub {kind}\n"})
            self.assertEqual(told, ["two types of one name: Limits: shared/src/a.rs, translation/src/d.rs"])

    def test_what_is_there_may_be_cited(self):
        for text in (
            "//! Files (`docs/RULES.md` section 2.1.7), and `docs/RULES.md` sections 2.1 and 2.2.",
            "/// See `docs/RULES.md` section\n/// 13, points 1 and 12.",
            "// Promises 1 and 11 in\n// `docs/PROMISES.md`; RFC 9110, section 99.1.",
            "# Checks P1 and P2 in `docs/CONFORMANCE.md` section 10.",
            "fn p11_eleventh() {}",
        ):
            self.assertEqual(self.cited(text), [], text)
        self.assertEqual(self.cited("[rules](RULES.md) section 2.1 of `tests/it/first.rs`, `tests/{it}/*.rs`", "docs/MORE.md"), [])

    def test_a_citation_of_nothing_is_named_with_its_line(self):
        for text, problem in (
            ("//\n// `docs/LAWS.md`", "2: there is no docs/LAWS.md"),
            ("// `docs/RULES.md` section 3", "1: docs/RULES.md has no section 3"),
            ("// `docs/RULES.md` section 2.1.8", "1: docs/RULES.md has no section 2.1.8"),
            ("//! Files, see `docs/RULES.md` sections 2.1\n//! and 2.3", "1: docs/RULES.md has no section 2.3"),
            ("/// (`docs/RULES.md`\n    /// section 13, point 2)", "1: docs/RULES.md section 13 has no point 2"),
            ("\n# promises 1, 2 and 11 in `docs/PROMISES.md`", "2: docs/PROMISES.md has no promise 2"),
            ("fn p02_second() {}", "1: docs/PROMISES.md has no promise 2"),
            ("// checks P1 to P3 in `docs/CONFORMANCE.md` section 10", "1: docs/CONFORMANCE.md has no check P3"),
        ):
            self.assertEqual(self.cited(text), [f"shared/src/lib.rs:{problem}"], text)

    def test_documents_name_files_and_tests_that_are_there(self):
        told = self.cited("`p01_first`, `p01_other`,\n`tests/it/second.rs`, `tests/{it,sdk}/`", "docs/MORE.md")
        self.assertEqual(told, [
            "docs/MORE.md:2: there is no tests/it/second.rs",
            "docs/MORE.md:2: there is no tests/{it,sdk}/",
            "docs/MORE.md:1: there is no test p01_other",
        ])


if __name__ == "__main__":
    unittest.main()
