//! Who serves: one appliance on one file, by a lock beside it that says who holds it; several on a server's database. (Not on
//! the file itself: closing any handle on it would drop SQLite's own locks, "How To Corrupt An SQLite Database File".)

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fault::DbResult;
use super::postgresql::Server;
use crate::clock::{Clock, rfc3339};
use crate::database::{Database, ServerAddress};
use crate::error::Fault;
use crate::private_file::{beside, create_new_for_owner, missing_right, place_of};

/// Held while the appliance runs. The operating system, or the server, releases it when the process ends, however it ends.
pub struct Lock {
    #[allow(dead_code, reason = "kept open: closing it releases the lock")]
    holder: Holder,
}

#[allow(dead_code, reason = "see Lock")]
enum Holder {
    File(File),
    Server(Box<Server>),
}

impl Lock {
    /// Who holds the lock of this database, in the words that the holder wrote; `None` if nobody does.
    pub fn holder(database: &Database) -> Option<String> {
        match database {
            Database::File(path) => Lock::holder_of_file(path),
            Database::Server(address) => {
                let holders = Server::at(address).and_then(|server| server.served_by()).ok()?;
                Some(holders.join("; ")).filter(|holders| !holders.is_empty())
            }
        }
    }

    /// Takes the lock for a command that serves (`till serve`). Of a server's database several processes may; of a file one.
    pub fn share(database: &Database, command: &str, clock: &Clock) -> DbResult<Lock> {
        match database {
            Database::File(path) => Lock::take_file(path, command, clock),
            Database::Server(address) => Lock::take_server(address, command, false),
        }
    }

    /// Takes the lock for a command that nobody may serve beside (`till go-live`), or says who does.
    pub fn take(database: &Database, command: &str, clock: &Clock) -> DbResult<Lock> {
        match database {
            Database::File(path) => Lock::take_file(path, command, clock),
            Database::Server(address) => Lock::take_server(address, command, true),
        }
    }

    fn take_server(address: &ServerAddress, command: &str, alone: bool) -> DbResult<Lock> {
        let server = Server::at(address)?;
        if server.serve(command, alone)? {
            return Ok(Lock { holder: Holder::Server(Box::new(server)) });
        }
        let holders = server.served_by()?.join("; ");
        Err(Fault::bare(format!(
            "the database {address} is in use by {}: stop that first, or name another database",
            if holders.is_empty() { "another till" } else { holders.as_str() }
        )))
    }

    fn holder_of_file(path: &Path) -> Option<String> {
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

    fn take_file(path: &Path, command: &str, clock: &Clock) -> DbResult<Lock> {
        refuse_other_names(path)?;
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
        Ok(Lock { holder: Holder::File(file) })
    }
}

/// Refuses a file with several names: each would have a lock and a log of its own, so that two could serve it at once.
fn refuse_other_names(path: &Path) -> DbResult<()> {
    let names = path.metadata().ok().filter(|there| there.is_file()).map_or(1, |file| file.nlink());
    if names <= 1 {
        return Ok(());
    }
    let shown = path.display();
    Err(Fault::bare(format!(
        "the database {shown} has {names} names (hard links). By each of them another till could serve it at the same time, and \
         what one wrote would be lost. Find the names (find / -xdev -samefile {shown}) and remove all but one; till backup makes \
         a copy"
    )))
}

/// The lock beside the file itself, also where `path` leads to it by links: else the same database would have two.
fn lock_of(path: &Path) -> PathBuf {
    let file = path.canonicalize().ok().or_else(|| place_of(path));
    beside(file.as_deref().unwrap_or(path), ".lock")
}
