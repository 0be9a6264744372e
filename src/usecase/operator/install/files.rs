//! Which files belong to an installed till, and where they go. What is in `systemd/` is in the binary.

use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

/// The administrator's configuration, below the root. It is written once.
pub const CONFIGURATION: &str = "etc/till/till.env";

#[derive(RustEmbed)]
#[folder = "systemd/"]
struct Embedded;

/// A file to be written.
pub struct NewFile {
    /// Below the root: `usr/local/bin/till`.
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub mode: u32,
    /// Whether one that is there is the administrator's, and stays.
    pub is_kept: bool,
}

impl NewFile {
    /// A file that everybody may read, and that the next version replaces.
    pub fn shared(path: PathBuf, bytes: Vec<u8>) -> NewFile {
        NewFile { path, bytes, mode: 0o644, is_kept: false }
    }

    /// Its name, if it is a unit of systemd's.
    pub(super) fn unit(&self) -> Option<&str> {
        let is_unit = self.path.parent().is_some_and(|folder| folder.ends_with("systemd/system"));
        self.path.file_name()?.to_str().filter(|_| is_unit)
    }

    /// A program.
    pub fn program(path: PathBuf, bytes: Vec<u8>) -> NewFile {
        NewFile { mode: 0o755, ..NewFile::shared(path, bytes) }
    }
}

/// Units, the user, the configuration and the examples. `prefix` is below the root: `usr/local`.
pub(super) fn of_systemd(prefix: &Path) -> Vec<NewFile> {
    let mut files = Vec::new();
    for name in Embedded::iter() {
        let Some(file) = Embedded::get(&name) else { continue };
        let bytes = file.data.into_owned();
        match name.rsplit_once('.').map(|(_, kind)| kind) {
            Some("service" | "socket" | "timer") => {
                files.push(NewFile::shared(prefix.join("lib/systemd/system").join(&*name), bytes));
            }
            Some("sysusers") => files.push(NewFile::shared(user_file(prefix), bytes)),
            _ => {
                if &*name == "till.env.example" {
                    let path = PathBuf::from(CONFIGURATION);
                    files.push(NewFile { path, bytes: bytes.clone(), mode: 0o640, is_kept: true });
                }
                files.push(NewFile::shared(prefix.join("share/doc/till").join(&*name), bytes));
            }
        }
    }
    files
}

/// What systemd-sysusers reads.
pub(super) fn user_file(prefix: &Path) -> PathBuf {
    prefix.join("lib/sysusers.d/till.conf")
}
