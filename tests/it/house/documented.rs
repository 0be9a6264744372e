//! What other files may call or name says what it is for: each public function and type of a module has a `///`. Methods,
//! fields, variants and constants need none, because most would only repeat their name. The stand-in's modules are private.

use super::rust::Source;
use super::tree::Finding;

const ITEMS: &[&str] = &["fn", "struct", "enum", "union", "trait", "type"];
/// What may stand between `pub` and the item's word.
const QUALIFIERS: &[&str] = &["async", "unsafe", "extern", "const"];
const STAND_IN: &str = "src/sandbox/";

/// Finds public items of the program that say nothing.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let file = source.file;
    if !file.path.starts_with("src/") || file.path.starts_with(STAND_IN) || file.is_tests() {
        return;
    }
    let tests = source.test_blocks();
    let is_of_module = |at: &usize| *at == 0 || source.code[..*at].ends_with('\n');
    for at in source.words("pub").filter(|at| is_of_module(at) && tests.iter().all(|block| !block.contains(at))) {
        let words: Vec<&str> = source.code[at + "pub".len()..].split_whitespace().take(4).collect();
        let item = words.iter().position(|word| !QUALIFIERS.contains(word)).unwrap_or(0);
        let (Some(item), Some(name)) = (words.get(item), words.get(item + 1)) else { continue };
        if ITEMS.contains(item) && !is_documented(source, at) {
            let name: String = name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            found.push(file.finding(
                file.line_at(at),
                format!("`{name}` says nothing"),
                "say in a `///` what it is for",
            ));
        }
    }
}

/// Whether a `///` precedes the item at this offset, attributes between them passed over.
fn is_documented(source: &Source<'_>, at: usize) -> bool {
    let before = source.code[..at].trim_end();
    if source.file.text[before.len()..at].contains("///") {
        return true;
    }
    let attribute = before.strip_suffix(']').and_then(|_| before.rfind("#["));
    attribute.is_some_and(|start| is_documented(source, start))
}

#[test]
fn public_items_say_what_they_are_for() {
    for (text, expected) in [
        ("/// Says.\npub fn f() {}\n/// Says.\n#[derive(Debug)]\npub struct A {\n    pub field: u8,\n}", 0),
        ("#[derive(Debug)]\n/// Says.\n#[expect(a, reason = \"[b]\")]\npub enum E {\n    Variant,\n}", 0),
        ("pub fn f() {}", 1),
        ("// Not for the reader.\npub async fn f() {}", 1),
        ("pub const fn f() {}\npub const A: u8 = 1;\npub static B: u8 = 1;\npub type C = u8;\npub trait D {}", 3),
        ("impl A {\n    pub fn f() {}\n}", 0),
        ("pub mod a;\npub use a::B;\npub(crate) fn f() {}\nfn g() {}", 0),
        ("#[cfg(test)]\nmod tests {\n    pub fn f() {}\n}", 0),
    ] {
        let file = super::tree::File::new("src/a.rs", text);
        let mut found = Vec::new();
        check(&Source::read(&file), &mut found);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected, "{text}: {found:?}");
    }
}
