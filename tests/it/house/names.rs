//! A type is a noun, because a noun can be used in a sentence: no type is named by a participle alone.

use super::rust::Source;
use super::tree::Finding;

const PARTICIPLES: &[&str] = &[
    "Told", "Kept", "Known", "Shown", "Found", "Opened", "Given", "Settled", "Assigned", "Received", "Inboxed",
    "Bought", "Wanted", "Spent", "Held", "Swept", "Lent", "Leftover", "Tagged", "Listed", "Tested", "Closed", "Seen",
    "Withheld", "Loaded",
];

/// Finds types of the program that are no nouns.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let file = source.file;
    if !file.path.starts_with("src/") {
        return;
    }
    for name in PARTICIPLES {
        for at in source.definitions(&["struct", "enum", "union", "type"], name) {
            let what = format!("the type `{name}` is a participle");
            found.push(file.finding(file.line_at(at), what, "name it by a noun of the field"));
        }
    }
}

#[test]
fn types_that_are_participles_are_found() {
    for (text, expected) in [
        ("pub struct Held {}", 1),
        ("enum Kept<K> {}\ntype Seen = u8;", 2),
        ("struct HeldUnits {}\nenum A { Held }\n// struct Held", 0),
    ] {
        let file = super::tree::File::new("src/a.rs", text);
        let mut found = Vec::new();
        check(&Source::read(&file), &mut found);
        assert_eq!(found.len(), expected, "{text}");
    }
}
