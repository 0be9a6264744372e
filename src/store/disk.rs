//! The disk that the database lies on: what kind of file system it has, and how much room is left.

use super::{Store, db};

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
}
