//! The disk that the database lies on: what kind of file system it has, how much room is left, and how room in the file that
//! is not needed is given back.

use std::path::Path;

use super::{Store, db};
use crate::error::{Refused, Result};

pub use db::FileSystemKind;

/// Room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// What this user can still write.
    pub free: u64,
    /// What there is in all.
    pub total: u64,
}

impl Store {
    /// The file, for what is done with a file alone; else the refusal, which says what does the same on a server.
    pub fn file_to_copy(&self) -> Result<&Path> {
        let refused = || {
            let detail = format!(
                "The books are in {}, and not in a file. pg_dump makes their backup and pg_restore brings it back; till \
                 ledger verify, with SPRITE_DATABASE naming the copy, proves it.",
                self.database
            );
            Refused::InvalidRequest(detail).into()
        };
        self.file().ok_or_else(refused)
    }

    /// The kind of the file system that the database lies on; `None` if the system does not say.
    pub fn file_system(&self) -> Option<FileSystemKind> {
        db::file_system_kind(self.file()?)
    }

    /// The room on the database's disk; `None` if the system does not say.
    pub fn disk_room(&self) -> Option<DiskRoom> {
        db::space(self.file()?).map(|(free, total)| DiskRoom { free, total })
    }

    /// How large the database is: the file without its log, or what a server says.
    pub fn bytes(&self) -> Result<u64> {
        const BYTES: &str = "SELECT pg_database_size(current_database()) AS bytes";
        match self.file() {
            Some(path) => Ok(path.metadata().map_or(0, |file| file.len())),
            None => Ok(self.read(|tx| tx.one(BYTES, &[], |row| row.int("bytes")))?.unwrap_or_default().unsigned_abs()),
        }
    }

    /// How many pages of the file nothing lies on. A server sees to that itself.
    pub fn free_pages(&self) -> Result<i64> {
        if self.file().is_some() { self.read(db::free_pages) } else { Ok(0) }
    }

    /// Gives some of them back to the file system in a short transaction; how many.
    pub fn give_back_pages(&self) -> Result<i64> {
        if self.file().is_some() { self.write(db::give_back) } else { Ok(0) }
    }

    /// What is wrong with the file system that the database lies on, if anything is, and what to do.
    pub fn file_system_fault(&self) -> Option<String> {
        let path = self.database.file()?;
        let kind = db::unsafe_kind(path)?;
        Some(format!(
            "{} lies on {kind}, where locks are not to be relied on and a database is damaged sooner or later: move it to a \
             disk of this machine, and name that place in SPRITE_DATABASE",
            path.display()
        ))
    }

    /// Whether the file system that the database lies on has no room left.
    pub fn is_disk_full(&self) -> bool {
        self.database.file().is_some_and(db::is_full)
    }

    /// Whether the file was moved, removed or replaced since it was opened, so that nothing is written.
    pub fn is_moved(&self) -> bool {
        self.files.as_ref().is_some_and(|files| !files.are_at_their_paths())
    }
}
