//! The configuration in the making: what the file sets, what the environment sets besides, and the answers so far. Where the
//! service has a folder of credentials, secrets go there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files;
use crate::cli::{CommandError, CommandResult};
use crate::config::{self, Config, EnvironmentFile, Need, Sources, is_secret};
use crate::private_file::folder_of;
use crate::usecase::operator::output_file::refuse_database;

/// What the files will say.
pub(super) struct Draft {
    file: EnvironmentFile,
    /// The folder of credentials, if there is one beside the file (`systemd/till.service`).
    folder: Option<PathBuf>,
    /// Those that are to be written there.
    credentials: BTreeMap<String, String>,
    /// What the process's environment says of variables that the file does not set.
    outside: BTreeMap<String, String>,
}

impl Draft {
    pub(super) fn read(path: &Path) -> CommandResult<Draft> {
        let text = |(name, value): (String, OsString)| Some((name, value.into_string().ok()?));
        let outside = Sources::from_process(BTreeMap::new()).env.into_iter().filter_map(text).collect();
        let file = files::read(path)?;
        let folder = Some(folder_of(path).join("credentials")).filter(|folder| folder.is_dir());
        let draft = Draft { file, folder, credentials: BTreeMap::new(), outside };
        let set = draft.file.variables();
        if let Some((name, there)) = set.keys().find_map(|name| Some((name, draft.credential(name)?))) {
            let (file, there) = (path.display(), there.display());
            let what = format!("{name} is set twice, in {file} and in {there}: keep one of them");
            return Err(CommandError::Usage(vec![what]));
        }
        Ok(draft)
    }

    /// Where the credential of this variable is, if there is one.
    fn credential(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name.to_ascii_lowercase())).filter(|path| path.exists())
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let kept = || Some(std::fs::read_to_string(self.credential(name)?).ok()?.trim().to_owned());
        let set = self.credentials.get(name).cloned().or_else(kept).or_else(|| self.variables().remove(name));
        set.filter(|value| !value.is_empty())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.outside.clone();
        variables.extend(self.file.variables());
        variables
    }

    pub(super) fn sources(&self) -> Sources {
        let env = self.variables().into_iter().map(|(name, value)| (name, value.into())).collect();
        Sources {
            env,
            flags: self.credentials.clone(),
            credentials_directory: self.folder.clone(),
            ..Sources::default()
        }
    }

    /// The variables with another value for one of them.
    fn sources_with(&self, name: &str, value: &str) -> Sources {
        let mut sources = self.sources();
        sources.flags.insert(name.to_owned(), value.to_owned());
        sources
    }

    /// What is wrong with this value of this variable.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let faults = config::load(&self.sources_with(name, value), Need::StripeKey).err().unwrap_or_default().faults;
        faults.iter().find(|fault| fault.variable == name).map_or(Ok(()), |fault| Err(fault.to_string()))
    }

    pub(super) fn config(&self) -> Result<Config, String> {
        config_of(&self.sources())
    }

    /// Refuses to write the environment file, or a catalogue beside it, where the database is.
    pub(super) fn refuse_database_at(&self, path: &Path) -> CommandResult {
        let database = self.config().map_err(|fault| CommandError::Usage(vec![fault]))?.database;
        for written in [path, &folder_of(path).join(files::CATALOG_NAME)] {
            refuse_database(written, &database)?;
        }
        Ok(())
    }

    /// The configuration with another value for one variable.
    pub(super) fn config_with(&self, name: &str, value: &str) -> Result<Config, String> {
        config_of(&self.sources_with(name, value))
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> CommandResult {
        if self.folder.is_some() && is_secret(name) && !self.file.variables().contains_key(name) {
            if self.value(name).as_deref() != Some(value) || self.credential(name).is_none() {
                self.credentials.insert(name.to_owned(), value.to_owned());
            }
            return Ok(());
        }
        self.file.set(name, value).map_err(|fault| CommandError::Usage(vec![fault.to_string()]))
    }

    /// Writes the files. What only the process's environment said is written too: the service has another environment.
    pub(super) fn write(&mut self, path: &Path) -> CommandResult {
        let (set, outside) = (self.file.variables(), self.outside.clone());
        let is_kept = |name: &String| self.credentials.contains_key(name) || self.credential(name).is_some();
        let missing: Vec<_> = outside.iter().filter(|(name, _)| !set.contains_key(*name) && !is_kept(name)).collect();
        missing.into_iter().try_for_each(|(name, value)| self.set(name, value))?;
        if let Some(folder) = &self.folder {
            for (name, value) in &self.credentials {
                files::write(&folder.join(name.to_ascii_lowercase()), &format!("{value}\n"))?;
            }
        }
        self.credentials.clear();
        files::write(path, &self.file.text())
    }
}

fn config_of(sources: &Sources) -> Result<Config, String> {
    let lines = |faulty: config::FaultyConfig| {
        faulty.faults.iter().map(ToString::to_string).collect::<Vec<String>>().join("; ")
    };
    config::load(sources, Need::StripeKey).map(|loaded| loaded.config).map_err(lines)
}
