//! What the documents name is there: files and folders, and the program's functions, types and modules. Only what stands
//! in code letters within a sentence or a table is looked at; blocks of code are for people to try.

use super::rust::Source;
use super::tree::{File, Finding};

const DEFINITIONS: &[&str] = &["fn", "struct", "enum", "trait", "const", "type", "mod", "static"];
/// How the name of a file of ours ends.
const ENDINGS: &[&str] = &[".rs", ".sql", ".html", ".md", ".example", ".service", ".socket", ".toml", "/"];

/// Finds names of files and of the program's parts that are not there.
pub fn check(files: &[File], found: &mut Vec<Finding>) {
    let documents: Vec<&File> = files.iter().filter(|file| file.is_document()).collect();
    if documents.is_empty() {
        return;
    }
    let sources: Vec<Source<'_>> = files.iter().filter(|file| file.is_rust()).map(Source::read).collect();
    for document in documents {
        let mut is_block = false;
        for (number, line) in (1..).zip(document.text.lines()) {
            is_block ^= line.trim_start().starts_with("```");
            if is_block {
                continue;
            }
            // What is between two marks is every second part.
            for name in line.split('`').skip(1).step_by(2) {
                if !(is_file(files, name) && is_part(&sources, name)) {
                    found.push(document.finding(number, format!("{name} is not there"), "name what is, or nothing"));
                }
            }
        }
    }
}

/// Whether it is a file or folder, by its whole path, or as it is called below `src/` or in its folder; or no such name.
fn is_file(files: &[File], name: &str) -> bool {
    let is_path = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && (name.starts_with("tests/") || name.starts_with("src/") || ENDINGS.iter().any(|end| name.ends_with(end)));
    if !is_path || name.starts_with('/') {
        return true;
    }
    let inside = format!("/{name}");
    files.iter().any(|file| {
        let path = format!("/{}", file.path);
        if name.ends_with('/') { path.contains(&inside) } else { path.ends_with(&inside) }
    })
}

/// Whether `module::name` or `Type::name` is defined in a file of that module, or one that speaks of the type; or no such
/// name.
fn is_part(sources: &[Source<'_>], name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let Some((before, last)) = name.rsplit_once("::").filter(|_| name.split("::").all(is_word)) else { return true };
    let home = before.rsplit("::").next().unwrap_or(before);
    sources.iter().any(|source| {
        let path = source.file.path.trim_end_matches(".rs");
        let is_home = path.split('/').any(|part| part == home) || source.words(home).next().is_some();
        let is_module = path.ends_with(&format!("/{last}")) || path.ends_with(&format!("/{last}/mod"));
        is_home && (is_module || source.defines(DEFINITIONS, last))
    })
}
