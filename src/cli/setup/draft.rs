//! The configuration in the making: what the file sets, what the environment sets besides, and the answers so far.

use std::collections::BTreeMap;
use std::path::Path;

use super::files;
use crate::cli::{CommandError, CommandResult};
use crate::config::{self, Config, EnvironmentFile, Need, Sources};

/// What the file will say.
pub(super) struct Draft {
    file: EnvironmentFile,
    /// What the process's environment says of variables that the file does not set.
    outside: BTreeMap<String, String>,
}

impl Draft {
    pub(super) fn read(path: &Path) -> CommandResult<Draft> {
        let text = |(name, value): (String, std::ffi::OsString)| Some((name, value.into_string().ok()?));
        let outside = Sources::from_process(BTreeMap::new()).env.into_iter().filter_map(text).collect();
        Ok(Draft { file: files::read(path)?, outside })
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let set = self.variables().remove(name);
        set.filter(|value| !value.is_empty())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.outside.clone();
        variables.extend(self.file.variables());
        variables
    }

    pub(super) fn sources(&self) -> Sources {
        let variables = self.variables();
        Sources::from_variables(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    pub(super) fn with(&self, name: &str, value: &str) -> Draft {
        let mut outside = self.variables();
        outside.insert(name.to_owned(), value.to_owned());
        Draft { file: EnvironmentFile::parse(""), outside }
    }

    /// What is wrong with this value of this variable.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let faults = config::load(&self.with(name, value).sources(), Need::StripeKey).err().unwrap_or_default();
        faults.iter().find(|fault| fault.variable == name).map_or(Ok(()), |fault| Err(fault.to_string()))
    }

    pub(super) fn config(&self) -> Result<Config, String> {
        let lines = |faults: Vec<config::ConfigFault>| {
            faults.iter().map(ToString::to_string).collect::<Vec<String>>().join("; ")
        };
        config::load(&self.sources(), Need::StripeKey).map(|loaded| loaded.config).map_err(lines)
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> CommandResult {
        self.file.set(name, value).map_err(|fault| CommandError::Usage(vec![fault.to_string()]))
    }

    /// Writes the file. What only the process's environment said is written too: the service has another environment.
    pub(super) fn write(&mut self, path: &Path) -> CommandResult {
        let set = self.file.variables();
        let missing: Vec<(String, String)> = self
            .outside
            .iter()
            .filter(|(name, _)| !set.contains_key(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        missing.iter().try_for_each(|(name, value)| self.set(name, value))?;
        files::write(path, &self.file.text())
    }
}
