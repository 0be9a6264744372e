//! How long a file may be, and how it begins. (How long a function may be says `clippy.toml`.)

use super::tree::{File, Finding};

const FILE_LINES: usize = 400;

/// Finds files that are too long, and Rust files that do not begin with their law.
pub fn check(file: &File, found: &mut Vec<Finding>) {
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
