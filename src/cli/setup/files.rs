//! The files that the set-up writes: the environment file, which keeps its owner and who may read it, and a catalogue where
//! there is none.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::{CommandError, CommandResult};
use crate::config::EnvironmentFile;
use crate::private_file::{PrivateFile, because_of_rights, folder_of};

/// The built-in catalogue as a file that people change.
const CATALOG: &str = include_str!("../../../systemd/catalog.example.toml");
/// Its name, beside the environment file.
pub(super) const CATALOG_NAME: &str = "catalog.toml";
/// The line of that file that the shop's name takes the place of.
const NAME_LINE: &str = "# name = \"Fox Pictures\"";
/// The right of the owner's group to read. A group that may read the secrets was given that right by somebody.
const GROUP_READS: u32 = 0o640;

/// The environment file at this path, or a new one.
pub(super) fn read(path: &Path) -> CommandResult<EnvironmentFile> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(EnvironmentFile::parse(&text)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(EnvironmentFile::new()),
        Err(cause) => {
            let right = because_of_rights(path, false);
            Err(CommandError::Failed(format!("{} cannot be read: {cause}{right}", path.display())))
        }
    }
}

/// Writes the file whole or not at all. One that is there keeps its owner, its group, and whether the group may read.
pub(super) fn write(path: &Path, text: &str) -> CommandResult {
    let attempt = || -> std::io::Result<()> {
        let former = path.metadata().ok();
        let mut file = PrivateFile::begin(path)?;
        if let Some(former) = former {
            std::os::unix::fs::chown(file.partial(), Some(former.uid()), Some(former.gid()))?;
            let mode = (former.permissions().mode() & GROUP_READS) | 0o600;
            std::fs::set_permissions(file.partial(), std::fs::Permissions::from_mode(mode))?;
        }
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    attempt().map_err(|cause| {
        let right = because_of_rights(path, true);
        CommandError::Failed(format!("{} cannot be written: {cause}{right}", path.display()))
    })
}

/// Writes a catalogue with the shop's name beside the environment file, and returns its path. One that is there is nobody's to
/// overwrite.
pub(super) fn write_catalog(beside: &Path, shop: &str) -> CommandResult<PathBuf> {
    let path = folder_of(beside).join(CATALOG_NAME);
    if path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(CommandError::Failed(format!(
            "{path} is there already, and SPRITE_CATALOG does not name it: set SPRITE_CATALOG={path} in the environment file \
             and the shop's name in it, or move it away"
        )));
    }
    write(&path, &CATALOG.replace(NAME_LINE, &format!("name = {}", toml_text(shop))))?;
    // The service's user reads it, and there is no secret in it.
    let _as_private_as_it_is = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644));
    std::path::absolute(&path).map_err(|cause| CommandError::Failed(format!("{}: {cause}", path.display())))
}

/// A basic string of TOML.
fn toml_text(text: &str) -> String {
    let escaped = |letter: char| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if letter.is_control() => format!("\\u{:04X}", u32::from(letter)),
        letter => letter.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_that_is_written_is_the_built_in_one_with_the_shops_name() {
        let text = CATALOG.replace(NAME_LINE, &format!("name = {}", toml_text("Fox \"&\" Söhne")));
        let (written, built_in) = (crate::catalog::parse(&text).unwrap(), crate::catalog::Catalog::built_in());
        assert_eq!(written.shop.name.as_deref(), Some("Fox \"&\" Söhne"));
        assert_eq!((&written.plans, &written.packs), (&built_in.plans, &built_in.packs));
    }
}
