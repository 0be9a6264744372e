//! The tree as the rules see it: files with their text, and findings; and that each file of tests is a part of it.

use std::fmt;
use std::fs;
use std::path::Path;

/// The folders that are ours. What is built or downloaded lives elsewhere.
const FOLDERS: &[&str] =
    &["src", "build", "tests", "templates", "assets", "systemd", ".cargo", ".ci", "docs", "examples"];
/// Those of our files whose text people write.
const KINDS: &[&str] =
    &["rs", "html", "css", "js", "sql", "toml", "md", "example", "service", "socket", "sh", "json", "py"];

/// A file of text.
pub struct File {
    /// From the root of the tree, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Whether its parent module names it under `#[cfg(test)]`.
    is_for_tests: bool,
}

/// A fault, and what to do instead.
pub struct Finding {
    path: String,
    line: usize,
    what: String,
    instead: String,
}

impl File {
    /// A file by its path and text.
    pub fn new(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned(), is_for_tests: false }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is a page or a part of one.
    pub fn is_template(&self) -> bool {
        self.path.starts_with("templates/") && self.path.ends_with(".html")
    }

    /// Whether it is a page for people who read about the program.
    pub fn is_document(&self) -> bool {
        let is_page = self.path.starts_with("docs/") && self.path.ends_with(".md");
        is_page || ["README.md", "ARCHITECTURE.md"].contains(&self.path.as_str())
    }

    /// Whether it is a file of tests only.
    pub fn is_tests(&self) -> bool {
        self.is_for_tests
            || self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The line, counted from 1, that holds the byte at `offset`.
    pub fn line_at(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// A fault found in it.
    pub fn finding(&self, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}, {}", self.path, self.line, self.what, self.instead)
    }
}

/// Finds files of the integration tests that no `mod` line names: the compiler would leave them out silently.
pub fn check_named(files: &[File], found: &mut Vec<Finding>) {
    if files.iter().all(|file| file.path != "tests/it/main.rs") {
        return;
    }
    for file in files.iter().filter(|file| file.path.starts_with("tests/it/") && file.is_rust()) {
        let module = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let Some((folder, name)) = module.rsplit_once('/').filter(|(_, name)| *name != "main") else { continue };
        let parents = [format!("{folder}/main.rs"), format!("{folder}/mod.rs"), format!("{folder}.rs")];
        let parent = files.iter().find(|file| parents.contains(&file.path));
        let names = |line: &str| line.trim_start_matches("pub ") == format!("mod {name};");
        if !parent.is_some_and(|parent| parent.text.lines().any(names)) {
            let parent = parent.map_or(&parents[1], |parent| &parent.path);
            found.push(file.finding(1, "these tests never run", format!("name the file in {parent}")));
        }
    }
}

/// Every file of ours, sorted by path.
pub fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir()) {
        collect(root, &folder, true, &mut found);
    }
    collect(root, root, false, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    for path in found.iter().flat_map(test_modules).collect::<Vec<_>>() {
        found.iter_mut().filter(|file| file.path == path).for_each(|file| file.is_for_tests = true);
    }
    found
}

/// The files that a module names under `#[cfg(test)]`.
fn test_modules(file: &File) -> Vec<String> {
    let folder = file.path.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
    let names = file.text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
    names.map(|(name, _)| format!("{folder}/{name}.rs")).collect()
}

fn collect(root: &Path, folder: &Path, deep: bool, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if deep {
                collect(root, &path, deep, found);
            }
            continue;
        }
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or("sh");
        if KINDS.contains(&kind) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.push(File::new(name, &fs::read_to_string(&path).unwrap()));
        }
    }
}
