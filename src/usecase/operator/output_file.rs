//! Files that commands write where the caller says: what may not be replaced by them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::database::Database;
use crate::error::Refused;
use crate::private_file::{beside, is_same_file, place_of};
use crate::store::backups::COMPANIONS;

/// Whether a path names a database, or what SQLite and till keep beside it.
pub fn belongs_to(path: &Path, database: &Path) -> bool {
    // They lie beside the file itself, also where a link leads to it.
    let file = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let companions =
        COMPANIONS.iter().chain([&".lock"]).flat_map(|suffix| [database, &file].map(|of| beside(of, suffix)));
    is_same(path, database) || companions.into_iter().any(|companion| is_same(path, &companion))
}

/// Refuses the database, and what belongs to it.
pub fn refuse_database(path: &Path, database: &Database) -> Result<(), Refused> {
    match database.file() {
        Some(file) if belongs_to(path, file) => Err(Refused::InvalidRequest(format!(
            "{} is the database, or a file that belongs to it: name another file",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses to replace a file that is not empty and begins in none of these ways. `what` is written there. Where there is a link, the
/// link is replaced, and nothing of the file that it leads to is lost.
pub fn refuse_other_content(path: &Path, beginnings: &[&[u8]], what: &str) -> Result<(), Refused> {
    let there = path.symlink_metadata().is_ok_and(|there| there.is_file() && there.len() > 0);
    let longest = beginnings.iter().map(|beginning| beginning.len()).max().unwrap_or(0);
    if !there {
        return Ok(());
    }
    let shown = path.display();
    let refused = |why: String| {
        Err(Refused::InvalidRequest(format!(
            "{shown} {why}, so it is not replaced: move it away, or name another file"
        )))
    };
    let mut begin = Vec::new();
    match File::open(path).and_then(|file| file.take(longest as u64).read_to_end(&mut begin)) {
        Ok(_) if beginnings.iter().any(|beginning| begin.starts_with(beginning)) => Ok(()),
        Ok(_) => refused(format!("is there already and is no {what}")),
        Err(cause) => refused(format!("is there already and cannot be read ({cause})")),
    }
}

/// Whether two paths name the same file, there or not.
fn is_same(one: &Path, other: &Path) -> bool {
    is_same_file(one, other) || place_of(one).is_some_and(|place| Some(place) == place_of(other))
}
