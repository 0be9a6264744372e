//! Every environment variable of ours is in the example that operators copy, and in a document.

use super::rust::Source;
use super::tree::{File, Finding};

const EXAMPLE: &str = "systemd/till.env.example";
const PREFIX: &str = "SPRITE_";

/// Finds names of variables that one of them lacks.
pub fn check(files: &[File], found: &mut Vec<Finding>) {
    let named = |is_wanted: &dyn Fn(&File) -> bool| -> Vec<&str> {
        files.iter().filter(|file| is_wanted(file)).flat_map(|file| names(&file.text)).map(|(_, name)| name).collect()
    };
    let known = [(EXAMPLE, named(&|file| file.path == EXAMPLE)), ("a document", named(&File::is_document))];
    for file in files.iter().filter(|file| file.path.starts_with("src/") && file.is_rust() && !file.is_tests()) {
        let source = Source::read(file);
        let tests = source.test_blocks();
        for (from, string) in &source.strings {
            for (offset, name) in names(string) {
                let at = from + offset;
                // A name that ends in `_` is the beginning of others.
                if name.ends_with('_') || tests.iter().any(|block| block.contains(&at)) {
                    continue;
                }
                if let Some((document, _)) = known.iter().find(|(_, known)| !known.contains(&name)) {
                    let what = format!("{name} is not in {document}");
                    found.push(file.finding(file.line_at(at), what, "describe it there"));
                }
            }
        }
    }
}

/// Every name in the text, with where it begins. `<KEY>` may be a part of it.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || "_<>".contains(letter);
    text.match_indices(PREFIX).map(move |(at, _)| {
        let name = &text[at..];
        (at, &name[..name.find(|letter| !is_name(letter)).unwrap_or(name.len())])
    })
}
