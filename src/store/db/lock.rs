//! One appliance on one database: a lock beside the file that says who holds it. (Not on the file itself: closing any
//! handle on it would drop SQLite's own locks, "How To Corrupt An SQLite Database File".)

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::fault::DbResult;
use crate::clock::{Clock, rfc3339};
use crate::error::Fault;
use crate::private_file::{beside, create_new_for_owner, folder_of, missing_right};

/// Held while the appliance runs. The operating system releases it when the process ends, however it ends.
pub struct Lock(#[allow(dead_code, reason = "kept open: closing it releases the lock")] File);

impl Lock {
    /// Who holds the lock of the database at `path`, in the words that the holder wrote; `None` if nobody does.
    pub fn holder(path: &Path) -> Option<String> {
        let mut file = File::open(lock_of(path)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _unreadable = (&mut file).take(300).read_to_string(&mut holder);
                Some(holder.trim().to_owned()).filter(|holder| !holder.is_empty()).or(Some("another till".to_owned()))
            }
            _ => None,
        }
    }

    /// Takes the lock of the database at `path` for a command (`till serve`), or says which one holds it.
    pub fn take(path: &Path, command: &str, clock: &Clock) -> DbResult<Lock> {
        let path_of_lock = &lock_of(path);
        let cannot = |what: &str| format!("cannot {what} the lock file {}", path_of_lock.display());
        // Not through a link that somebody else laid: one that is there is no file.
        let file = create_new_for_owner(path_of_lock).or_else(|cause| match path_of_lock.symlink_metadata() {
            Ok(there) if there.is_file() => File::options().read(true).write(true).open(path_of_lock),
            _ => Err(cause),
        });
        let mut file = file.map_err(|cause| match missing_right(path_of_lock, true) {
            Some(right) => Fault::bare(format!("{}: {right}", cannot("open"))),
            None => Fault::new(cannot("open"), cause),
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _unreadable = (&file).take(300).read_to_string(&mut holder);
                return Err(Fault::bare(format!(
                    "the database {} is in use by {}: stop that one first, or name another database",
                    path.display(),
                    if holder.trim().is_empty() { "another till" } else { holder.trim() }
                )));
            }
            Err(TryLockError::Error(cause)) => return Err(Fault::new(cannot("take"), cause)),
        }
        let holder = format!("{command}, process {}, since {}\n", std::process::id(), rfc3339(clock.now()));
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(|cause| Fault::new(cannot("write"), cause))?;
        Ok(Lock(file))
    }
}

/// The lock beside the file itself, also where `path` leads to it by links: else the same database would have two.
fn lock_of(path: &Path) -> PathBuf {
    let by_folder = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    let file = path.canonicalize().ok().or_else(by_folder);
    beside(file.as_deref().unwrap_or(path), ".lock")
}
