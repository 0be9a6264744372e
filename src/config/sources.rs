//! Where values come from: flags, the environment, files that it names, systemd's credentials. Finds the one value of a
//! variable, or says why there is none; `values` checks what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fault::{ConfigFault, shown};
use crate::private_file::{because_of_rights, folder_of, is_open_to_others, lets_others_in};

use super::variables::{fixed_names, is_secret, key_in, nearest};

const PREFIX: &str = "SPRITE_";
/// The largest file that a variable is read from.
const VALUE_BYTES_LIMIT: u64 = 64 * 1024;
/// The largest catalogue.
const CATALOG_BYTES_LIMIT: u64 = 1024 * 1024;
/// The most files of a credentials directory that are looked at.
const CREDENTIALS_LIMIT: usize = 1_000;
/// What systemd puts before the name of a file whose folder is the credential `till` (`LoadCredential=`, systemd.exec(5)).
const OF_FOLDER: &str = "till_";
/// How much of a value is shown, in characters.
const SHOWN_LIMIT: usize = 1_000;
/// Names longer than this are not compared with the known ones.
const COMPARED_NAME_LIMIT: usize = 200;

/// Everything that configuration is read from, as plain values. It holds secrets, so it has no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    /// Environment variables; those without the prefix `SPRITE_` are passed over.
    pub env: BTreeMap<String, OsString>,
    /// Values of command-line flags, by the variable that each stands for.
    pub flags: BTreeMap<String, String>,
    /// `$CREDENTIALS_DIRECTORY`, where systemd puts credentials.
    pub credentials_directory: Option<PathBuf>,
    /// `$STATE_DIRECTORY` as systemd writes it: one directory, or several separated by colons.
    pub state_directory: Option<OsString>,
    /// Whether all requests come by Unix sockets, which only a proxy can open.
    pub has_only_unix_sockets: bool,
}

impl Sources {
    /// This process's environment, and these flags.
    pub fn from_process(flags: BTreeMap<String, String>) -> Sources {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let env = std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let directory = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Sources {
            env,
            flags,
            credentials_directory: directory("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            state_directory: directory("STATE_DIRECTORY"),
            has_only_unix_sockets: false,
        }
    }

    /// Only these environment variables.
    pub fn from_variables<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
        let env = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Sources { env, ..Sources::default() }
    }
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Flag(String),
    Environment(String),
    /// The variable that names the file, and the file.
    File(String, PathBuf),
    Credential(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(name) => write!(f, "the flag for {name}"),
            Source::Environment(name) => write!(f, "the environment variable {name}"),
            Source::File(name, path) => write!(f, "{name} (the file {})", path.display()),
            Source::Credential(path) => write!(f, "the credential {}", path.display()),
        }
    }
}

impl Source {
    /// The kind of source, with the path where there is one: for a column.
    fn kind(&self) -> String {
        match self {
            Source::Flag(_) => "flag".to_owned(),
            Source::Environment(_) => "environment".to_owned(),
            Source::File(_, path) => format!("file {}", path.display()),
            Source::Credential(path) => format!("credential {}", path.display()),
        }
    }

    /// Its file, where the file's own mode alone keeps others away: a folder of credentials is mostly closed.
    fn reachable_file(&self) -> Option<&Path> {
        match self {
            Source::Flag(_) | Source::Environment(_) => None,
            Source::File(_, path) => Some(path),
            Source::Credential(path) => Some(path.as_path()).filter(|path| lets_others_in(folder_of(path))),
        }
    }
}

/// A value that a source gives, as it may be shown.
#[derive(Clone, Debug)]
pub(super) struct GivenValue {
    /// With secrets masked.
    pub(super) text: String,
    pub(super) source: String,
}

/// Reads variables one after the other and collects their faults.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    credentials: BTreeMap<String, PathBuf>,
    known: BTreeSet<String>,
    set: BTreeSet<String>,
    /// By the variable, also where the value is faulty.
    pub(super) given: BTreeMap<String, GivenValue>,
    pub(super) faults: Vec<ConfigFault>,
    pub(super) warnings: Vec<String>,
    /// Those of the warnings that are about files which everybody can read.
    pub(super) open_files: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Reader<'a> {
        let mut faults = Vec::new();
        let credentials = match sources.credentials_directory.as_deref().map(credentials_in) {
            Some(Ok(found)) => found,
            Some(Err(fault)) => {
                faults.push(fault);
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        let known = fixed_names().map(str::to_owned).collect();
        Reader {
            sources,
            credentials,
            known,
            set: BTreeSet::new(),
            given: BTreeMap::new(),
            faults,
            warnings: Vec::new(),
            open_files: Vec::new(),
        }
    }

    /// The value of `variable`, read by `parse`, whose error says what was expected. `None` when it is not set or faulty.
    pub(super) fn value<T>(&mut self, variable: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.value_of_any(&[variable.to_owned()], parse).map(|(_, value)| value)
    }

    /// As [`Reader::value`], for a variable with several names; also returns the name that was used.
    pub(super) fn value_of_any<T>(
        &mut self,
        names: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(String, T)> {
        let (name, source, text) = self.text(names)?;
        let given = GivenValue { text: shown(&text, is_secret(&name), SHOWN_LIMIT), source: source.kind() };
        self.given.insert(name.clone(), given);
        match parse(&text) {
            Ok(value) => Some((name, value)),
            Err(problem) => {
                let problem = match source {
                    Source::Flag(_) | Source::Environment(_) => problem,
                    Source::File(..) | Source::Credential(_) => format!("{problem}; it comes from {source}"),
                };
                self.faults.push(ConfigFault::of_value(&name, &text, is_secret(&name), problem));
                None
            }
        }
    }

    /// Whether all requests come by Unix sockets.
    pub(super) fn has_only_unix_sockets(&self) -> bool {
        self.sources.has_only_unix_sockets
    }

    /// Whether any source sets this variable, even to a faulty value.
    pub(super) fn is_set(&self, variable: &str) -> bool {
        self.set.contains(variable)
    }

    /// Warns of a file with secrets or people's data that anybody on the machine can read or change.
    pub(super) fn warn_of_open_file(&mut self, what: &str, path: &Path) {
        if is_open_to_others(path) {
            let path = path.display();
            let warning =
                format!("{what}, {path}, can be read or changed by everybody on this machine: chmod 600 {path}");
            self.warnings.push(warning.clone());
            self.open_files.push(warning);
        }
    }

    /// Warns of every `SPRITE_` name that was not read. Without the catalogue, names of the form `SPRITE_<KEY>_UNITS` cannot
    /// be judged.
    pub(super) fn warn_of_unknown_names(&mut self, catalog_is_read: bool) {
        let sources = self.sources;
        let given = sources.env.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
        let given = given.chain(sources.flags.keys()).chain(self.credentials.keys());
        let unknown: BTreeSet<&String> = given.filter(|name| name.starts_with(PREFIX)).collect();
        for name in unknown {
            let (stem, suffix) = match name.strip_suffix("_FILE") {
                Some(stem) => (stem, "_FILE"),
                None => (name.as_str(), ""),
            };
            let key = key_in(stem);
            if self.known.contains(stem) || (key.is_some() && !catalog_is_read) {
                continue;
            }
            let name: String = name.chars().take(COMPARED_NAME_LIMIT).flat_map(char::escape_debug).collect();
            let near = if stem.len() > COMPARED_NAME_LIMIT {
                None
            } else {
                nearest(stem, self.known.iter().map(String::as_str))
            };
            // A missing variable is mostly a misspelt one.
            for fault in self.faults.iter_mut().filter(|fault| fault.is_missing && near == Some(&fault.variable)) {
                fault.problem.push_str(&format!("; {name} is set, which till does not know"));
            }
            let near = near.map(|near| format!("; the nearest known name is {near}{suffix}")).unwrap_or_default();
            let why = key.map(|key| format!(" (the catalogue has no {key:?})")).unwrap_or_default();
            self.warnings.push(format!("{name} is not a variable of till and is ignored{why}{near}"));
        }
    }

    /// The one text that the sources give under these names, without white space around it. Empty means unset, but a file or
    /// a credential must not be empty.
    fn text(&mut self, names: &[String]) -> Option<(String, Source, Zeroizing<String>)> {
        let mut flags = Vec::new();
        let mut others = Vec::new();
        for name in names {
            self.known.insert(name.clone());
            if self.sources.flags.get(name).is_some_and(|value| !value.trim().is_empty()) {
                flags.push((name, Source::Flag(name.clone())));
            }
            others.extend(self.sources_of(name).into_iter().map(|source| (name, source)));
        }
        self.set.extend(flags.iter().chain(&others).map(|(name, _)| (*name).clone()));
        for found in [&flags, &others] {
            if let [(name, first), others @ .., (_, last)] = found.as_slice() {
                let times = if others.is_empty() { "twice".to_owned() } else { format!("{} times", found.len()) };
                let between: String = others.iter().map(|(_, other)| format!(", by {other}")).collect();
                let problem = format!("it is set {times}, by {first}{between} and by {last}; keep one of them");
                self.faults.push(ConfigFault::bare(*name, problem));
                return None;
            }
        }
        let (name, source) = flags.pop().or_else(|| others.pop())?;
        if let (Some(path), true) = (source.reachable_file(), is_secret(name)) {
            let (name, path) = (name.clone(), path.to_owned());
            self.warn_of_open_file(&format!("the file of {name}"), &path);
        }
        match self.read(name, &source) {
            Ok(text) => Some((name.clone(), source, text)),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    /// Every source of this name except the flags.
    fn sources_of(&self, name: &str) -> Vec<Source> {
        let mut found = Vec::new();
        if self.sources.env.get(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty()) {
            found.push(Source::Environment(name.to_owned()));
        }
        let file_name = format!("{name}_FILE");
        if let Some(path) = self.sources.env.get(&file_name).filter(|path| !path.is_empty()) {
            found.push(Source::File(file_name, PathBuf::from(path)));
        }
        if let Some(path) = self.credentials.get(name) {
            found.push(Source::Credential(path.clone()));
        }
        found
    }

    fn read(&self, name: &str, source: &Source) -> Result<Zeroizing<String>, ConfigFault> {
        let text = match source {
            Source::Flag(_) => Zeroizing::new(self.sources.flags.get(name).cloned().unwrap_or_default()),
            Source::Environment(_) => {
                let value = self.sources.env.get(name).cloned().unwrap_or_default();
                Zeroizing::new(value.into_string().map_err(|_| ConfigFault::bare(name, "expected UTF-8 text"))?)
            }
            Source::File(_, path) | Source::Credential(path) => Zeroizing::new(
                read_text(path, VALUE_BYTES_LIMIT)
                    .map_err(|problem| ConfigFault::bare(name, format!("{source} {problem}")))?,
            ),
        };
        let trimmed = Zeroizing::new(text.trim().to_owned());
        if trimmed.is_empty() {
            return Err(ConfigFault::bare(name, format!("{source} is empty; write the value into it, or unset it")));
        }
        if trimmed.chars().any(char::is_control) {
            let problem = format!("{source} holds a line break or another control character; expected one line");
            return Err(ConfigFault::bare(name, problem));
        }
        Ok(trimmed)
    }
}

/// The text of a catalogue file; the error says what is wrong with the file.
pub(super) fn read_catalog(path: &Path) -> Result<String, String> {
    read_text(path, CATALOG_BYTES_LIMIT)
}

fn read_text(path: &Path, bytes_limit: u64) -> Result<String, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(bytes_limit + 1).read_to_end(&mut bytes));
    read.map_err(|cause| format!("cannot be read: {cause}{}", because_of_rights(path, false)))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_limit {
        return Err(format!("is larger than the {bytes_limit} bytes that are read"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    Ok(text.to_owned())
}

/// Our credentials, by the variable that each stands for: `sprite_listen` is `SPRITE_LISTEN`, and so is `till_sprite_listen`.
fn credentials_in(directory: &Path) -> Result<BTreeMap<String, PathBuf>, ConfigFault> {
    let entries = std::fs::read_dir(directory).map_err(|cause| {
        // Of whatever is in it.
        let right = because_of_rights(&directory.join(OF_FOLDER), false);
        let problem = format!("the directory {} cannot be read: {cause}{right}", directory.display());
        ConfigFault::bare("CREDENTIALS_DIRECTORY", problem)
    })?;
    let mut found = BTreeMap::new();
    for entry in entries.take(CREDENTIALS_LIMIT).filter_map(Result::ok) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let own = name.strip_prefix(OF_FOLDER).unwrap_or(&name);
        if !own.starts_with("sprite_") || own != own.to_ascii_lowercase() {
            continue;
        }
        let variable = own.to_ascii_uppercase();
        if let Some(other) = found.insert(variable.clone(), entry.path()) {
            let problem =
                format!("there are two credentials, {} and {}; keep one", other.display(), entry.path().display());
            return Err(ConfigFault::bare(variable, problem));
        }
    }
    Ok(found)
}
