//! A folder for a database: the user's, or one that is removed however the command ends.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::CommandResult;
use crate::clock::Clock;
use crate::error::Fault;
use crate::id;

/// Where a database is.
pub(super) struct Folder {
    pub path: PathBuf,
    pub is_temporary: bool,
}

impl Folder {
    /// The wanted folder, which is kept; without one a new folder of the system's for what is temporary, whose name begins with
    /// `name`.
    pub(super) fn create(wanted: Option<&Path>, name: &str) -> CommandResult<Folder> {
        let is_temporary = wanted.is_none();
        let path = match wanted {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(id::ordered_id(name, Clock::System.now())?),
        };
        let created = DirBuilder::new().recursive(!is_temporary).mode(0o700).create(&path);
        created.map_err(|cause| Fault::new(format!("cannot create the folder {}", path.display()), cause))?;
        Ok(Folder { path, is_temporary })
    }

    /// Removes a temporary folder; leaves a folder of the user's alone.
    pub(super) fn remove(mut self) -> Result<(), Fault> {
        if !std::mem::take(&mut self.is_temporary) {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.path)
            .map_err(|cause| Fault::new(format!("cannot remove the folder {}", self.path.display()), cause))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_temporary {
            // The command is failing already, and at worst leaves a temporary folder behind.
            let _left_behind = std::fs::remove_dir_all(&self.path);
        }
    }
}
