//! A folder of a test's own, and its databases on PostgreSQL: removed with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::postgres::{self, Postgres};

static MADE: AtomicU32 = AtomicU32::new(0);

/// An empty folder below cargo's own for tests.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Folder {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("it-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // One that a killed run with the same process id left behind.
        let _none = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What `SPRITE_DATABASE` says of the books with this name: a file in the folder, or a database that goes with it.
    pub fn database(&self, name: &str) -> String {
        match postgres::is_chosen() {
            true => Postgres::get().database(&format!("{}{}", self.prefix(), word(name))),
            false => self.path(name).to_str().unwrap().to_owned(),
        }
    }

    /// The same, with nothing in it yet.
    pub fn empty_database(&self, name: &str) -> String {
        match postgres::is_chosen() {
            true => Postgres::get().empty_database(&format!("{}{}", self.prefix(), word(name))),
            false => self.path(name).to_str().unwrap().to_owned(),
        }
    }

    /// What the names of its databases begin with.
    fn prefix(&self) -> String {
        format!("{}_", word(self.0.file_name().unwrap().to_str().unwrap()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if postgres::is_chosen() {
            Postgres::get().take_back(&self.prefix());
        }
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// What stands in an identifier of SQL without quotes.
fn word(name: &str) -> String {
    name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}
