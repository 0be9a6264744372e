//! How long things may be, and how a file begins.

use super::rust::Source;
use super::tree::{File, Finding};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Finds files that are too long, and Rust files that do not begin with their law.
pub fn check_file(file: &File, found: &mut Vec<Finding>) {
    let is_ours = file.path.starts_with("src/") || file.path.starts_with("tests/");
    let lines = file.text.lines().count();
    if is_ours && lines > FILE_LINES {
        let what = format!("{lines} lines in a file");
        found.push(file.finding(lines, what, format!("split it by subject: at most {FILE_LINES}")));
    }
    if file.is_rust() && !file.text.starts_with("//!") {
        let instead = "begin by saying what lives here, what may not, and why";
        found.push(file.finding(1, "the first line is not `//!`", instead));
    }
}

/// Finds functions that are too long.
pub fn check_functions(source: &Source<'_>, found: &mut Vec<Finding>) {
    for at in source.words("fn") {
        let rest = &source.code[at + 2..];
        let name: String = rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(open) = body(rest).map(|open| at + 2 + open).filter(|_| !name.is_empty()) else { continue };
        let first = source.file.line_at(at);
        let lines = 1 + source.file.line_at(source.closing(open)) - first;
        if lines > FUNCTION_LINES {
            let what = format!("`{name}` has {lines} lines");
            found.push(source.file.finding(first, what, format!("take a step out of it: at most {FUNCTION_LINES}")));
        }
    }
}

/// Where a function's body opens; none for a declaration or a function type. A `;` or `,` inside brackets is part of the
/// signature, as in `[u8; 2]`.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, letter) in signature.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}
