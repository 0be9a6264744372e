//! A type is a noun, because a noun can be used in a sentence: no type is named by a participle alone.

use super::rust::Source;
use super::tree::Finding;

const PARTICIPLES: &[&str] = &[
    "Told", "Kept", "Known", "Shown", "Found", "Opened", "Given", "Settled", "Assigned", "Received", "Inboxed",
    "Bought", "Wanted", "Spent", "Held", "Swept", "Lent", "Leftover", "Tagged", "Listed", "Tested", "Closed", "Seen",
    "Withheld", "Loaded",
];

/// Types that still have such a name.
const STILL_THERE: &[(&str, &str)] = &[
    ("src/cli/demo.rs", "Shown"),
    ("src/cli/shapes.rs", "Listed"),
    ("src/cli/shapes.rs", "Tested"),
    ("src/config/mod.rs", "Loaded"),
    ("src/http/api/etag.rs", "Tagged"),
    ("src/http/api/users.rs", "Shown"),
    ("src/http/kept.rs", "Kept"),
    ("src/http/leftover.rs", "Leftover"),
    ("src/http/leftover.rs", "Lent"),
    ("src/ledger/hold.rs", "Held"),
    ("src/ledger/reversal.rs", "Withheld"),
    ("src/store/entries.rs", "Found"),
    ("src/store/holds.rs", "Closed"),
    ("src/usecase/notifications/enqueue.rs", "Closed"),
    ("src/usecase/operator/verify.rs", "Opened"),
    ("src/usecase/stripe_events/apply/checkout.rs", "Bought"),
    ("src/usecase/stripe_events/apply/invoice.rs", "Bought"),
    ("src/usecase/stripe_events/reconcile/scan.rs", "Seen"),
    ("src/usecase/units/posting.rs", "Opened"),
];

/// Finds types of the program that are no nouns.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let file = source.file;
    if !file.path.starts_with("src/") {
        return;
    }
    for name in PARTICIPLES {
        for at in source.definitions(&["struct", "enum", "union", "type"], name) {
            if !STILL_THERE.contains(&(file.path.as_str(), name)) {
                let what = format!("the type `{name}` is a participle");
                found.push(file.finding(file.line_at(at), what, "name it by a noun of the field"));
            }
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
