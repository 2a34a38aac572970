#!/usr/bin/env python3
"""Tests of `tests/rooms.py`, on made-up crates: each breach is found, and what is allowed is not."""

import tempfile
import unittest
from pathlib import Path

import rooms

ORDER = ["top", "left right", "low"]


class Rooms(unittest.TestCase):
    def told(self, changed, order=ORDER):
        """The breaches of a crate that has none but for the files `changed`."""
        files = {
            "lib.rs": "mod top;\nmod left;\nmod right;\nmod low;\npub use top::Top;\npub struct Root;\n",
            "top.rs": "use crate::left::Left;\npub struct Top(Left, crate::right::Right);\n",
            "left/mod.rs": "mod inner;\npub use inner::Left;\n",
            "left/inner.rs": "use crate::low::*;\npub struct Left(Low);\n",
            "right.rs": "use crate::low;\npub struct Right;\npub fn right() { low::work() }\n",
            "low/mod.rs": "pub mod part;\npub struct Low;\npub fn work() {}\n",
            "low/part.rs": "pub struct Part;\n",
        }
        files.update(changed)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                file = Path(folder, "src", name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            crate = rooms.Crate(Path(folder, "src"))
            return list(rooms.breaches({"made-up": crate}, {"made-up": order} if order else {}))

    def test_a_crate_in_order_is_none(self):
        self.assertEqual(self.told({}), [])

    def test_an_import_that_runs_back_up_is_named_with_its_file(self):
        for text in (
            "use crate::top::Top;\n",
            "use crate::{low::Low, top::{self, Top}};\n",
            "pub fn right(_: &crate::top::Top) {}\n",
            "fn right() { let _ = Low { ..crate::top::Top::default() }; }\n",
            "use super::top;\nfn right() { top::work() }\n",
            "use crate::top::*;\n",
            "use crate::top::Kind::*;\n",
        ):
            told = self.told({"right.rs": text, "top.rs": "pub struct Top;\npub enum Kind {}\npub fn work() {}\n"})
            self.assertEqual(told, ["import that runs back up: made-up: right -> top: src/right.rs imports top"], text)

    def test_neighbours_do_not_know_each_other(self):
        told = self.told({"right.rs": "use crate::left::Left;\n"})
        self.assertEqual(told, ["import that runs back up: made-up: right -> left: src/right.rs imports left::inner"])

    def test_what_is_handed_on_counts_where_it_is_defined(self):
        # `low` hands on an item of `top`: whoever takes it from `low` imports `top`.
        told = self.told({"low/mod.rs": "pub use crate::top::Top;\npub struct Low;\npub fn work() {}\n", "right.rs": "use crate::low::Top;\n"})
        self.assertEqual(told, ["import that runs back up: made-up: right -> top: src/right.rs imports top"])

    def test_nobody_imports_from_the_root(self):
        told = self.told({"low/part.rs": "use crate::Root;\n"})
        self.assertEqual(told, ["import from the root: made-up: src/low/part.rs imports the root"])
        self.assertEqual(self.told({"top.rs": "use crate::Top as Own;\npub struct Top;\n"}), [])

    def test_a_circle_over_two_folders_is_found_and_one_within_a_folder_is_not(self):
        near = {
            "low/mod.rs": "pub mod part;\npub struct Low(part::Part);\npub fn work() {}\n",
            "low/part.rs": "use super::Low;\npub struct Part(Box<Low>);\n",
        }
        self.assertEqual(self.told(near), [])
        far = {
            "low/mod.rs": "pub mod part;\npub struct Low(part::deep::Deep);\npub fn work() {}\n",
            "low/part.rs": "pub mod deep;\n",
            "low/part/deep.rs": "use super::super::Low;\npub struct Deep(Box<Low>);\n",
        }
        self.assertEqual(self.told(far), ["circle of imports: made-up: low, low::part::deep"])

    def test_rooms_and_places_belong_together(self):
        told = self.told({"lib.rs": "mod top;\nmod left;\nmod right;\nmod low;\nmod attic;\n", "attic.rs": ""}, [*ORDER, "cellar"])
        self.assertEqual([line.split(": give")[0].split(": take")[0] for line in told], [
            "room without a place: made-up: attic",
            "place without a room: made-up: cellar",
        ])
        self.assertIn("crate without an order: made-up", self.told({}, None)[0])

    def test_tests_may_look_anywhere(self):
        for text in (
            "#[cfg(test)]\nuse crate::top::Top;\npub struct Right;\n",
            "#[cfg(test)]\npub fn look(_: crate::top::Top) -> Vec<u8> { Vec::new() }\npub struct Right;\n",
            "pub struct Right {\n    #[cfg(test)]\n    top: Option<crate::top::Top>,\n    pub more: u8,\n}\n",
            "#[cfg(test)]\nmod tests;\n",
        ):
            self.assertEqual(self.told({"right.rs": text, "right/tests.rs": "use crate::top::Top;\n"}), [], text)
        # What follows a field or an item for tests is looked at again.
        for text in (
            "pub struct Right {\n    #[cfg(test)]\n    seen: Map<u8, u8>,\n    top: crate::top::Top,\n}\n",
            "#[cfg(test)]\nconst SEEN: [u8; 2] = [1, 2];\nuse crate::top::Top;\n",
        ):
            self.assertEqual(len(self.told({"right.rs": text})), 1, text)

    def test_comments_and_texts_are_no_code(self):
        text = '// use crate::top::Top;\n/* crate::top::Top */\nconst A: &str = "crate::top::Top";\nconst B: &str = r#"use crate::top::"Top";"#;\nconst C: char = \'"\';\n'
        self.assertEqual(self.told({"right.rs": text}), [])
        self.assertEqual(len(self.told({"right.rs": text + "use crate::top::Top;\n"})), 1)


if __name__ == "__main__":
    unittest.main()
