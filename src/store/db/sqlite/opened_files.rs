//! Whether the files that are open still lie at their paths. What is written into a file without a name is gone once the process
//! has ended, and a file that took its place does not have it.

use std::path::{Path, PathBuf};

use crate::error::{Fault, Refused};
use crate::log_pace::LogPace;
use crate::private_file::{beside, file_id};
use crate::store::db::fault::DbResult;

/// A database and its log, as they lay at their paths when they were opened.
pub(in crate::store) struct OpenedFiles {
    files: Vec<OpenedFile>,
    lines: LogPace,
}

struct OpenedFile {
    path: PathBuf,
    /// Its device and inode.
    id: (u64, u64),
}

impl OpenedFile {
    fn at(path: PathBuf) -> Option<OpenedFile> {
        file_id(&path).map(|id| OpenedFile { path, id })
    }

    fn is_at_its_path(&self) -> bool {
        file_id(&self.path) == Some(self.id)
    }
}

impl OpenedFiles {
    /// The database at this path, which has just been opened.
    pub(in crate::store) fn of(database: &Path) -> DbResult<OpenedFiles> {
        let file = OpenedFile::at(database.to_owned());
        let file = file.ok_or_else(|| Fault::bare("it was moved or removed while it was opened"))?;
        Ok(OpenedFiles { files: vec![file], lines: LogPace::new() })
    }

    /// Adds its log, which lies beside the file itself, also where a link leads there.
    pub(in crate::store) fn with_log(mut self) -> OpenedFiles {
        let log = self.files.first().and_then(|database| database.path.canonicalize().ok());
        self.files.extend(log.and_then(|database| OpenedFile::at(beside(&database, "-wal"))));
        self
    }

    /// Whether each of them is at its path.
    pub(in crate::store) fn are_at_their_paths(&self) -> bool {
        self.missing().is_none()
    }

    fn missing(&self) -> Option<&OpenedFile> {
        self.files.iter().find(|file| !file.is_at_its_path())
    }

    /// Refuses to write where a file is not at its path, and goes on once the same one is back.
    pub(super) fn check(&self) -> DbResult<()> {
        let Some(missing) = self.missing() else { return Ok(()) };
        let path = missing.path.display();
        if let Some(left_out) = self.lines.next() {
            let advice = "nothing is written until the same file is back at its path; to use another one, stop till, put that \
                          one in place by till restore, and start till";
            tracing::error!(event = "database_replaced", path = %path, advice, left_out);
        }
        Err(Fault::bare(format!("{path} was moved, removed or replaced while it was open")).retryable())
    }

    /// The same after a commit, which may be in a file that nobody finds.
    pub(super) fn check_committed(&self) -> Result<(), Refused> {
        self.check().map_err(|_| Refused::Unavailable {
            retry_after: 2,
            detail:
                "The database was moved while this was written, and it is not known whether it is kept. Send the same \
                     request again, with the same idempotency key: it happens once."
                    .to_owned(),
        })
    }
}
