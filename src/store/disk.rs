//! The disk that the database lies on: what kind of file system it has, how much room is left, and how room in the file that
//! is not needed is given back.

use super::{Store, db};
use crate::error::Result;

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
    /// The kind of the file system that the database lies on; `None` if the system does not say.
    pub fn file_system(&self) -> Option<FileSystemKind> {
        db::file_system_kind(self.path())
    }

    /// The room on the database's disk; `None` if the system does not say.
    pub fn disk_room(&self) -> Option<DiskRoom> {
        db::space(self.path()).map(|(free, total)| DiskRoom { free, total })
    }

    /// How many pages of the file nothing lies on.
    pub fn free_pages(&self) -> Result<i64> {
        self.read(db::free_pages)
    }

    /// Gives some of them back to the file system in a short transaction; how many.
    pub fn give_back_pages(&self) -> Result<i64> {
        self.write(db::give_back)
    }
}
