//! Words that may not stand in the tree, or in one place only.

use super::rust::Source;
use super::tree::{File, Finding};

/// The one file with the one block that cannot do without.
const UNSAFE: &[&str] = &["src/cli/nss.rs"];
/// In two halves each, because this file is read as well.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const FOR_EVER: &[&[&str]] = &[&["UPDATE", "entries"], &["DELETE", "FROM", "entries"], &["DELETE", "FROM", "books"]];
const CHANGE_OF_BOOKS: &str = concat!("UPDATE ", "books");

/// Finds words that no file may hold.
pub fn check_text(file: &File, found: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            found.push(file.finding(index + 1, "a line that ends in a space", "take it away"));
        }
        let words: Vec<&str> = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        if let Some(word) = words.iter().find(|word| UNFINISHED.contains(word)) {
            found.push(file.finding(index + 1, format!("left unfinished: {word}"), "finish it, or file an issue"));
        }
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let changes = |rule: &[&str]| words.windows(rule.len()).any(|window| window == rule);
        // Tests may try, to prove that the database refuses.
        if !file.is_tests() && FOR_EVER.iter().any(|rule| changes(rule)) {
            found.push(file.finding(index + 1, "entries are never changed or removed", "append a further entry"));
        }
    }
}

/// Of the books only an account's row may change, and who changes it tells those who keep answers. Of entries the text of
/// notes may be erased.
fn check_books(file: &File, found: &mut Vec<Finding>) {
    for (at, _) in file.text.match_indices(CHANGE_OF_BOOKS) {
        let rest = &file.text[at..];
        if rest.starts_with(&format!("{CHANGE_OF_BOOKS} SET note = NULL, note_salt = NULL WHERE")) {
            continue;
        }
        let is_of_account = rest.split('"').next().is_some_and(|statement| statement.contains("part = 1"));
        if !is_of_account || !file.path.starts_with("src/store/") {
            let what = "entries are never changed or removed, and accounts only in store/";
            found.push(file.finding(file.line_at(at), what, "append a further entry"));
        }
        if !rest.split("\n}\n").next().is_some_and(|function| function.contains(".mark_changed(")) {
            let instead = "say tx.mark_changed(account) in the same function";
            found.push(file.finding(file.line_at(at), "an account is changed in silence", instead));
        }
    }
}

/// Finds words of the program that belong to one file.
pub fn check_code(source: &Source<'_>, found: &mut Vec<Finding>) {
    let file = source.file;
    if !file.is_tests() {
        check_books(file, found);
    }
    if !UNSAFE.contains(&file.path.as_str()) {
        for at in source.words(concat!("un", "safe")) {
            let instead = format!("only {} has a reason to", UNSAFE.join(" or "));
            found.push(file.finding(file.line_at(at), "`unsafe`", instead));
        }
    }
}
