//! Copies of the whole database: made of one that is in use, and taken in place of it. And the last backup that was made, so
//! that an old one is noticed.

use std::fs::{hard_link, remove_file};
use std::path::{Path, PathBuf};

use super::Store;
use super::db::{Connection, DbResult, Tx, is_empty};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::private_file::{PrivateFile, beside, is_same_file};

/// What SQLite keeps beside a database: its log, the log's index, and the journal of another mode.
pub const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A backup that was made and proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub made_at: Timestamp,
    /// Its path; `-` for standard output.
    pub place: String,
    /// Its size.
    pub bytes: i64,
}

/// Records a backup as the last one.
pub fn record(tx: &mut dyn Tx, backup: &Backup) -> Result<()> {
    const RECORD: &str = "INSERT INTO backups (one, made_at, place, bytes) VALUES (1, $1, $2, $3)
        ON CONFLICT (one) DO UPDATE SET made_at = $1, place = $2, bytes = $3";
    tx.execute(RECORD, &[&backup.made_at, &backup.place, &backup.bytes])?;
    Ok(())
}

/// The last backup that was made of this database.
pub fn last(tx: &mut dyn Tx) -> Result<Option<Backup>> {
    const LAST: &str = "SELECT made_at, place, bytes FROM backups WHERE one = 1";
    tx.one(LAST, &[], |row| {
        Ok(Backup { made_at: row.time("made_at")?, place: row.text("place")?, bytes: row.int("bytes")? })
    })
}

impl Store {
    /// Copies everything, as it is at one moment, into an empty file. Others may read and write meanwhile.
    pub fn copy_into(&self, path: &Path) -> Result<()> {
        Ok(Connection::open(self.file_to_copy()?)?.copy_into(path)?)
    }
}

/// Refuses a file that holds nothing of till's. Changes nothing in it.
pub fn refuse_empty(path: &Path) -> DbResult<()> {
    match is_empty(&mut Connection::open(path)?)? {
        true => Err(Fault::bare("there is nothing in it: a backup of till's was expected")),
        false => Ok(()),
    }
}

/// A file of SQLite's that is beside this database.
pub fn companion_of(database: &Path) -> Option<PathBuf> {
    COMPANIONS.iter().map(|suffix| beside(database, suffix)).find(|log| log.symlink_metadata().is_ok())
}

/// Gives `new`, a closed database without a log, the path of another one, which is kept under the name `kept`. There is a
/// whole database at the path at every moment. Fails, and changes nothing, while somebody has the old one open.
pub fn replace(path: &Path, new: PrivateFile, kept: Option<&Path>) -> Result<(), Fault> {
    let cannot = |what: &str| format!("{what}; nothing was replaced");
    // Held until the new one has the name, so that nobody makes a log of the old one meanwhile.
    let old = kept.map(|_| Connection::open(path)).transpose()?;
    if let Some(old) = &old {
        old.end_log().map_err(|cause| Fault::new(cannot("the present database cannot be taken out of use"), cause))?;
    }
    // A log is read by its name, whatever database it was written for.
    if let Some(stale) = companion_of(path) {
        let shown = stale.display();
        let what = format!("there is {shown}, which belongs to no database any more: move it away, and run this again");
        return Err(Fault::bare(cannot(&what)));
    }
    if let Some(kept) = kept {
        let what = format!("the present database cannot be kept as {}", kept.display());
        hard_link(path, kept).map_err(|cause| Fault::new(cannot(&what), cause))?;
    }
    let replaced = new.finish().map_err(|cause| Fault::new("the backup cannot be put in place", cause));
    if let (Err(_), Some(kept)) = (&replaced, kept)
        && is_same_file(path, kept)
    {
        let _left_behind = remove_file(kept);
    }
    replaced
}
