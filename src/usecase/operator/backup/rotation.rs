//! A folder of dated backups. A name says what is ours and how old it is; whatever else lies there is left alone. The newest is
//! never removed, and none while the clock is in doubt.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Packing;
use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp, parse_rfc3339, rfc3339};
use crate::error::{Fault, Refused, Result};

/// After so many days a file that was never finished is nobody's any more.
const PARTIAL_DAYS: i64 = 1;
/// The length of `20261127T093000Z`.
const DATE_LENGTH: usize = 16;

/// The path of a backup that is made now, such as `till-20261127T093000Z.db`. Makes the folder if there is none.
pub(super) fn dated(app: &App, folder: &Path, packing: Packing) -> Result<PathBuf> {
    let cannot = |cause| Fault::new(format!("cannot make the folder {}", folder.display()), cause);
    match folder.metadata() {
        Ok(there) if there.is_dir() => {}
        Ok(_) => {
            let what = format!("{} is a file: --keep needs a folder for itself", folder.display());
            return Err(Refused::InvalidRequest(what).into());
        }
        Err(_) => DirBuilder::new().mode(0o700).create(folder).map_err(cannot)?,
    }
    let now = rfc3339(app.clock.wall());
    let date: String = now.chars().take(19).filter(|character| character.is_ascii_alphanumeric()).collect();
    Ok(folder.join(format!("{}{date}Z.db{}", prefix(app), packing.suffix())))
}

/// Removes backups that are older than so many days, and what was never finished. `made` and the newest stay.
pub(super) fn remove_old(app: &App, folder: &Path, made: &Path, days: i64) -> Result<Vec<PathBuf>, Fault> {
    if !app.clock.is_plausible() {
        return Ok(vec![]);
    }
    let cannot = |cause| Fault::new(format!("cannot look through {}", folder.display()), cause);
    let (mut whole, mut unfinished) = (vec![], vec![]);
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        match entry.file_name().to_str().and_then(|name| name.strip_prefix(prefix(app).as_str())).and_then(own) {
            Some((at, true)) if is_file => whole.push((at, entry.path())),
            Some((at, false)) if is_file => unfinished.push((at, entry.path())),
            _ => {}
        }
    }
    whole.sort();
    whole.pop();
    let before = |days: i64| app.clock.wall().plus_seconds(-days * DAY_SECONDS);
    let old = whole.into_iter().filter(|(at, path)| *at < before(days) && path != made);
    let old = old.chain(unfinished.into_iter().filter(|(at, _)| *at < before(PARTIAL_DAYS)));
    let mut removed = vec![];
    for (_, path) in old {
        let what = || format!("the backup was made, but {} cannot be removed", path.display());
        fs::remove_file(&path).map_err(|cause| Fault::new(what(), cause))?;
        removed.push(path);
    }
    Ok(removed)
}

/// What the names of this database's backups begin with.
fn prefix(app: &App) -> String {
    let stem = app.store.file().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    format!("{}-", stem.unwrap_or_else(|| "till".to_owned()))
}

/// The rest of a name after the prefix: when it was made, and whether it is whole. `None` if it is not ours.
fn own(rest: &str) -> Option<(Timestamp, bool)> {
    let (date, end) = rest.split_at_checked(DATE_LENGTH)?;
    let part = |from: usize, to: usize| date.get(from..to);
    let (day, time) = (format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?), part(8, 16)?);
    let (hour, minute, second) = (time.get(1..3)?, time.get(3..5)?, time.get(5..7)?);
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let at = parse_rfc3339(&format!("{day}T{hour}:{minute}:{second}Z")).filter(|_| is_date)?;
    match end {
        ".db" | ".db.zst" => Some((at, true)),
        end if end.starts_with(".db.") && end.ends_with(".partial") => Some((at, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn only_a_dated_name_is_ours() {
        for (rest, whole) in [
            ("20261127T093000Z.db", Some(true)),
            ("20261127T093000Z.db.zst", Some(true)),
            ("20261127T093000Z.db.0123456789abcdef.partial", Some(false)),
            ("20261127T093000Z.db.zst.0123456789abcdef.partial", Some(false)),
            ("20261127T093000Z.db.mine", None),
            ("20261127T093000Z.sql", None),
            ("20261327T093000Z.db", None),
            ("2026112709300000.db", None),
            ("before-restore-20261127T093000Z.db", None),
            ("20261127", None),
            ("ééééééééé.db", None),
            ("", None),
        ] {
            assert_eq!(own(rest).map(|(_, is_whole)| is_whole), whole, "{rest}");
        }
    }
}
