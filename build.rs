//! The version with its commit, `0.1.0 (1a2b3c4d5e6f)`, for `till --version` and the log: an operator who reports something
//! then names the very source. `TILL_COMMIT` sets the commit where there is no git repository; without both there is none.
//! And the words of all languages, as Rust (`build/words.rs`).

#[path = "build/words.rs"]
mod words;

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Where the words of pages and mails are, one file for each language.
const WORDS: &str = "templates/words";

fn main() -> std::io::Result<()> {
    let mut cargo = std::io::stdout().lock();
    writeln!(cargo, "cargo:rerun-if-changed=build.rs")?;
    writeln!(cargo, "cargo:rerun-if-env-changed=TILL_COMMIT")?;
    // Each commit and each other branch adds a line there.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        writeln!(cargo, "cargo:rerun-if-changed={log}")?;
    }
    let given = std::env::var("TILL_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let version = env!("CARGO_PKG_VERSION");
    let version = commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({})", commit.trim()));
    writeln!(cargo, "cargo:rustc-env=TILL_VERSION={version}")?;

    let folder = Path::new(WORDS);
    writeln!(cargo, "cargo:rerun-if-changed={WORDS}")?;
    writeln!(cargo, "cargo:rerun-if-changed=build/words.rs")?;
    let source = words::source(folder).map_err(std::io::Error::other)?;
    let target = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("cargo sets no OUT_DIR"))?;
    std::fs::write(Path::new(&target).join("words.rs"), source)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
