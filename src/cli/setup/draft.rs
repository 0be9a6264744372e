//! The configuration in the making: what the file sets, what the environment sets besides, and the answers so far. Where the
//! service has a folder of credentials, secrets go there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files;
use crate::cli::{CommandError, CommandResult};
use crate::config::{self, Config, EnvironmentFile, Need, Sources, is_secret};
use crate::private_file::folder_of;

/// What the files will say.
pub(super) struct Draft {
    file: EnvironmentFile,
    /// The folder of credentials, if there is one beside the file (`systemd/till.service`).
    folder: Option<PathBuf>,
    /// What is in that folder, or will be.
    credentials: BTreeMap<String, String>,
    /// Those that are to be written.
    changed: BTreeSet<String>,
    /// What the process's environment says of variables that the file does not set.
    outside: BTreeMap<String, String>,
}

impl Draft {
    pub(super) fn read(path: &Path) -> CommandResult<Draft> {
        let text = |(name, value): (String, OsString)| Some((name, value.into_string().ok()?));
        let outside = Sources::from_process(BTreeMap::new()).env.into_iter().filter_map(text).collect();
        let file = files::read(path)?;
        let folder = Some(folder_of(path).join("credentials")).filter(|folder| folder.is_dir());
        let credentials = folder.as_deref().map(files::credentials).transpose()?.unwrap_or_default();
        if let Some(name) = file.variables().keys().find(|name| credentials.contains_key(*name)) {
            let (file, folder) = (path.display(), folder_of(path).join("credentials"));
            let what = format!("{name} is set twice, in {file} and in {}: keep one of them", folder.display());
            return Err(CommandError::Usage(vec![what]));
        }
        Ok(Draft { file, folder, credentials, changed: BTreeSet::new(), outside })
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let set = self.variables().remove(name);
        set.filter(|value| !value.is_empty())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.outside.clone();
        variables.extend(self.file.variables());
        variables.extend(self.credentials.clone());
        variables
    }

    pub(super) fn sources(&self) -> Sources {
        let variables = self.variables();
        Sources::from_variables(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The variables with another value for one of them.
    fn sources_with(&self, name: &str, value: &str) -> Sources {
        let mut sources = self.sources();
        sources.env.insert(name.to_owned(), value.into());
        sources
    }

    /// What is wrong with this value of this variable.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let faults = config::load(&self.sources_with(name, value), Need::StripeKey).err().unwrap_or_default();
        faults.iter().find(|fault| fault.variable == name).map_or(Ok(()), |fault| Err(fault.to_string()))
    }

    pub(super) fn config(&self) -> Result<Config, String> {
        config_of(&self.sources())
    }

    /// The configuration with another value for one variable.
    pub(super) fn config_with(&self, name: &str, value: &str) -> Result<Config, String> {
        config_of(&self.sources_with(name, value))
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> CommandResult {
        if self.folder.is_some() && is_secret(name) && !self.file.variables().contains_key(name) {
            if self.credentials.insert(name.to_owned(), value.to_owned()).as_deref() != Some(value) {
                self.changed.insert(name.to_owned());
            }
            return Ok(());
        }
        self.file.set(name, value).map_err(|fault| CommandError::Usage(vec![fault.to_string()]))
    }

    /// Writes the files. What only the process's environment said is written too: the service has another environment.
    pub(super) fn write(&mut self, path: &Path) -> CommandResult {
        let (set, outside) = (self.file.variables(), self.outside.clone());
        let is_new = |name: &String| !set.contains_key(name) && !self.credentials.contains_key(name);
        let missing: Vec<_> = outside.iter().filter(|(name, _)| is_new(name)).collect();
        missing.into_iter().try_for_each(|(name, value)| self.set(name, value))?;
        if let Some(folder) = &self.folder {
            for name in &self.changed {
                let value = self.credentials.get(name).map(String::as_str).unwrap_or_default();
                files::write(&folder.join(name.to_ascii_lowercase()), &format!("{value}\n"))?;
            }
        }
        self.changed.clear();
        files::write(path, &self.file.text())
    }
}

fn config_of(sources: &Sources) -> Result<Config, String> {
    let lines =
        |faults: Vec<config::ConfigFault>| faults.iter().map(ToString::to_string).collect::<Vec<String>>().join("; ");
    config::load(sources, Need::StripeKey).map(|loaded| loaded.config).map_err(lines)
}
