//! Why the books cannot be opened where they are.

use std::path::{Path, PathBuf};

use crate::database::Database;
use crate::error::Fault;
use crate::private_file::missing_right;

/// Says which database it is, and of a file which right is missing.
pub(super) fn cannot_be_used(database: &Database, cause: Fault) -> Fault {
    let (heals, what) = (cause.is_retryable(), format!("the database {database} cannot be used"));
    if let Some(right) = database.file().and_then(right_missing) {
        return Fault::bare(format!("{what}: {right}"));
    }
    let fault = Fault::new(what, cause);
    if heals { fault.retryable() } else { fault }
}

/// Which right to the database, or to the files of its log, this process lacks, if it lacks one.
fn right_missing(path: &Path) -> Option<String> {
    let beside = ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    std::iter::once(path).chain(beside.iter().map(PathBuf::as_path)).find_map(|file| missing_right(file, true))
}
