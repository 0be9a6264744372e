//! Who may use whom: the table of `ARCHITECTURE.md`, as rows. A new module needs a row here.

use std::collections::BTreeMap;

use super::paths::paths;
use super::rust::Source;
use super::tree::{File, Finding};

const BASE: &[&str] = &[
    "actor",
    "backoff",
    "clock",
    "database",
    "email",
    "error",
    "id",
    "language",
    "log_pace",
    "money",
    "plain_text",
    "private_file",
    "secret",
    "slot",
    "totp",
];

/// Each module with what it may use besides itself; `base` stands for the modules above and `ledger`.
const TABLE: &[(&str, &[&str])] = &[
    ("ledger", &[]),
    ("actor", &["base"]),
    ("backoff", &["base"]),
    ("clock", &["base"]),
    ("database", &["base"]),
    ("email", &["base"]),
    ("error", &["base"]),
    ("id", &["base"]),
    ("language", &["base"]),
    ("log_pace", &["base"]),
    ("money", &["base"]),
    ("plain_text", &["base"]),
    ("private_file", &["base"]),
    ("secret", &["base"]),
    ("slot", &["base"]),
    ("totp", &["base"]),
    ("catalog", &["base"]),
    ("config", &["base", "catalog"]),
    ("tls", &[]),
    ("store", &["base", "tls"]),
    ("oidc", &["base", "config", "tls"]),
    ("passkey", &["base", "store"]),
    ("mail", &["base", "catalog", "config", "tls"]),
    ("stripe", &["base", "tls"]),
    ("notification", &["base", "tls"]),
    ("metrics", &["base", "catalog", "config", "store", "stripe"]),
    ("app", &["base", "catalog", "config", "oidc", "passkey", "store", "stripe", "metrics"]),
    (
        "usecase",
        &["base", "catalog", "config", "mail", "oidc", "passkey", "store", "stripe", "notification", "metrics", "app"],
    ),
    (
        "http",
        &[
            "base",
            "catalog",
            "config",
            "mail",
            "oidc",
            "passkey",
            "store",
            "stripe",
            "notification",
            "metrics",
            "app",
            "usecase",
        ],
    ),
    ("worker", &["base", "catalog", "config", "mail", "store", "stripe", "notification", "metrics", "app", "usecase"]),
    (
        "cli",
        &[
            "base",
            "catalog",
            "config",
            "mail",
            "store",
            "stripe",
            "notification",
            "metrics",
            "app",
            "usecase",
            "http",
            "worker",
            "sandbox",
        ],
    ),
    ("sandbox", &["clock", "error", "id", "language", "money", "secret", "tls"]),
];

/// The module that a file of `src/` belongs to; none for `lib.rs`, which is the map, and `main.rs`, which is the door.
fn module_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    let name = path.split('/').next()?.trim_end_matches(".rs");
    (name != "lib" && name != "main").then_some(name)
}

fn may_use(module: &str, used: &str) -> bool {
    let row = TABLE.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, row)| row);
    let is_base = used == "ledger" || BASE.contains(&used);
    module == used || row.contains(&used) || (is_base && row.contains(&"base"))
}

/// Finds uses that the table forbids.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let Some(module) = module_of(&source.file.path) else { return };
    for (at, used) in used_modules(&source.code) {
        if !may_use(module, used) && TABLE.iter().any(|(name, _)| *name == used) {
            let what = format!("`{module}` may not use `{used}`");
            let instead = "see who may use whom in ARCHITECTURE.md: move this up, or hand over what it needs";
            found.push(source.file.finding(source.file.line_at(at), what, instead));
        }
    }
}

/// Finds modules that the table does not know.
pub fn check_map(files: &[File], found: &mut Vec<Finding>) {
    for file in files.iter().filter(|file| file.path == "src/lib.rs") {
        for (at, line) in file.text.lines().enumerate() {
            let module =
                line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")).map(|rest| rest.trim_end_matches(';'));
            let Some(module) = module else { continue };
            if TABLE.iter().all(|(name, _)| *name != module) {
                let what = format!("`{module}` has no row that says what it may use");
                found.push(file.finding(
                    at + 1,
                    what,
                    "give it one in tests/it/house/layers.rs and in ARCHITECTURE.md",
                ));
            }
        }
    }
}

/// Every module that is named from the root, once for each place, with its offset.
fn used_modules(code: &str) -> BTreeMap<usize, &str> {
    let from_root = paths(code).into_iter().filter(|path| path.parts[0].1 == "crate");
    from_root.filter_map(|path| path.parts.get(1).copied()).collect()
}
