//! `till restore`: a backup takes the place of the database, once it is proved. Until the last step, which is one rename,
//! nothing of the present database is changed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::actor::Actor;
use crate::app::App;
use crate::clock::{Clock, rfc3339};
use crate::config::{Config, Mode};
use crate::database::Database;
use crate::error::{Error, Fault, Refused, Result};
use crate::private_file::{PrivateFile, beside, create_new_for_owner, folder_of};
use crate::store::Lock;
use crate::store::backups;
use crate::store::stripe_account;
use crate::usecase::audit;
use crate::usecase::operator::backup::{
    Companions, MAGIC, PACKED_MAGIC, of_database, refuse_breaks, refuse_log, unpack,
};
use crate::usecase::operator::head::Anchor;
use crate::usecase::operator::output_file::belongs_to;
use crate::usecase::operator::stripe_account::{mode_of_books, mode_word};
use crate::usecase::operator::verify::{Proof, verify_against};

/// What was restored, or would be.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    /// Where the database is.
    pub path: PathBuf,
    /// Accounts and entries of the backup.
    pub accounts: u64,
    pub entries: u64,
    /// The name that the former database has now; `None` if there was none.
    pub kept: Option<PathBuf>,
}

/// Proves the backup, against an anchor if there is one, and puts a copy of it in the place of the database that the
/// configuration names. With `dry_run` it only proves.
pub fn restore(
    config: &Config,
    backup: &Path,
    anchor: Option<&Anchor>,
    dry_run: bool,
    progress: impl FnMut(&Proof),
) -> Result<RestoreReport> {
    let named = config.database.file().ok_or_else(no_file)?;
    // A link to the database stays one.
    let path = named.canonicalize().unwrap_or_else(|_| named.to_owned());
    let is_packed = refuse_no_backup(backup, &path)?;
    let lock = (!dry_run).then(|| Lock::take(&config.database, "till restore", &Clock::System)).transpose()?;
    let is_there = path.try_exists().is_ok_and(|is_there| is_there);
    refuse_ownerless_log(&path, is_there)?;

    let file = copied(backup, &path, is_packed)?;
    let partial = file.partial().to_owned();
    let _companions = Companions::of(&partial);
    let of_backup = |cause: Fault| Fault::new(format!("{} cannot be restored", backup.display()), cause);
    backups::refuse_empty(&partial).map_err(of_backup)?;
    // One handle, so that dropping it closes the copy.
    let copy =
        App::open(of_database(config, &partial), Clock::System).map_err(of_backup)?.acting_for(Actor::command_line());
    let proof = verify_against(&copy, anchor, progress).map_err(|cause| match cause {
        Error::Fault(cause) => Error::Fault(of_backup(Fault::new("it cannot be proved", cause))),
        refused @ Error::Refused(_) => refused,
    })?;
    refuse_breaks(&proof, &format!("{} does not hold, and nothing was changed", backup.display()))?;
    let kept = is_there.then(|| kept_name(&path, &copy));
    if is_there {
        let present = App::open(of_database(config, &path), Clock::System).map_err(present_cannot_be_opened)?;
        refuse_other_account(&present, &copy)?;
    }
    refuse_other_mode(config, &copy)?;
    let report = RestoreReport { path: path.clone(), accounts: proof.accounts, entries: proof.entries, kept };
    if dry_run {
        return Ok(report);
    }
    let (target, detail) = (path.display().to_string(), format!("from {}", backup.display()));
    audit::write(&copy, move |tx, trail| trail.add(tx, "database_restored", &target, detail.clone()))?;
    drop(copy);
    refuse_log(&partial)?;
    keep_owner(&partial, &path, is_there)?;
    backups::replace(&path, file, report.kept.as_deref())?;
    drop(lock);
    Ok(report)
}

fn no_file() -> Refused {
    let detail =
        "SPRITE_DATABASE names a server's database, and not a file: pg_restore brings back there what pg_dump copied.";
    Refused::InvalidRequest(detail.to_owned())
}

/// Refuses what can be told from its name and its first bytes to be no backup. Returns whether it is packed.
fn refuse_no_backup(backup: &Path, path: &Path) -> Result<bool, Fault> {
    let shown = backup.display();
    let refused = |why: &str| Err(Fault::bare(format!("{shown} cannot be restored: {why}")));
    let cannot = |cause| Fault::new(format!("{shown} cannot be read"), cause);
    if !backup.metadata().map_err(cannot)?.is_file() {
        return refused("it is no file: a file that till backup wrote was expected");
    }
    if belongs_to(backup, path) {
        return refused("it is the present database, or belongs to it");
    }
    if let Some(holder) = Lock::holder(&Database::File(backup.to_owned())) {
        return refused(&format!("it is in use by {holder}: make a backup of it with till backup"));
    }
    let mut begin = Vec::new();
    File::open(backup).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut begin)).map_err(cannot)?;
    match begin.as_slice() {
        [] => refused("it is empty"),
        begin if begin == MAGIC => Ok(false),
        begin if begin.starts_with(&PACKED_MAGIC) => Ok(true),
        _ => refused(
            "it is no database: a file that till backup wrote was expected, decrypted, and packed by zstd or not",
        ),
    }
}

/// Without its database a log would be read with the new one.
fn refuse_ownerless_log(path: &Path, is_there: bool) -> Result<(), Fault> {
    match backups::companion_of(path).filter(|_| !is_there) {
        None => Ok(()),
        Some(log) => Err(Fault::bare(format!(
            "there is {}, and no database that it belongs to: move it away, and run this again",
            log.display()
        ))),
    }
}

/// A copy of the backup beside the database, unpacked, with what its log holds.
fn copied(backup: &Path, path: &Path, is_packed: bool) -> Result<PrivateFile, Fault> {
    let cannot = |cause| Fault::new(format!("{} cannot be copied to {}", backup.display(), path.display()), cause);
    let mut copy = PrivateFile::begin(path).map_err(cannot)?.for_owner();
    let mut from = File::open(backup).map_err(cannot)?;
    if is_packed {
        let what = format!("{} cannot be unpacked to {}", backup.display(), path.display());
        unpack(from, &mut copy).map_err(|cause| Fault::new(what, cause))?;
        return Ok(copy);
    }
    io::copy(&mut from, &mut copy).map_err(cannot)?;
    for suffix in ["-wal", "-journal"] {
        let log = beside(backup, suffix);
        if log.metadata().is_ok_and(|log| log.is_file() && log.len() > 0) {
            let mut to = create_new_for_owner(&beside(copy.partial(), suffix)).map_err(cannot)?;
            File::open(&log).and_then(|mut from| io::copy(&mut from, &mut to)).map_err(cannot)?;
        }
    }
    Ok(copy)
}

fn present_cannot_be_opened(cause: Fault) -> Fault {
    let way_on = "to restore all the same, move it and its -wal and -shm away, and run this again";
    Fault::new(format!("the present database was not replaced, because it cannot be looked at ({way_on})"), cause)
}

/// Whether books are of live mode, and whose they are at Stripe, as far as they tell.
fn binding(app: &App) -> Result<(Option<bool>, Option<String>)> {
    let bound = app.store.read(stripe_account::find)?;
    let is_live = mode_of_books(app, bound.as_ref())?;
    Ok((is_live, bound.and_then(|bound| bound.id)))
}

/// The service would not start with the books of another mode than its key's.
fn refuse_other_mode(config: &Config, copy: &App) -> Result<()> {
    let of_key = config.stripe.mode().map(|mode| mode == Mode::Live);
    match (binding(copy)?.0, of_key) {
        (Some(books), Some(key)) if books != key => Err(Fault::bare(format!(
            "the backup belongs to {} mode, and SPRITE_STRIPE_SECRET_KEY is a {} mode key, so nothing was changed. Set the key \
             that the backup belongs to, or none, and run this again",
            mode_word(books),
            mode_word(key)
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Books of another account or mode know other customers, and count other money.
fn refuse_other_account(present: &App, copy: &App) -> Result<()> {
    let (ours, theirs) = (binding(present)?, binding(copy)?);
    let is_other = |pair: (Option<&String>, Option<&String>)| matches!(pair, (Some(one), Some(other)) if one != other);
    let is_other_mode = matches!((ours.0, theirs.0), (Some(one), Some(other)) if one != other);
    if !is_other_mode && !is_other((ours.1.as_ref(), theirs.1.as_ref())) {
        return Ok(());
    }
    let words = |(is_live, id): &(Option<bool>, Option<String>)| {
        let mode = mode_word(*is_live == Some(true));
        id.as_ref().map_or_else(|| format!("{mode} mode"), |id| format!("{mode} mode of {id}"))
    };
    Err(Fault::bare(format!(
        "the backup belongs to {}, and the present database {} to {}, so nothing was changed. To restore it all the same, \
         move the present database away first, or name another place with --database or SPRITE_DATABASE",
        words(&theirs),
        present.store.database(),
        words(&ours)
    ))
    .into())
}

/// `till.db` becomes `till-before-restore-20261127T093000Z.db`, beside it.
fn kept_name(path: &Path, copy: &App) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_else(|| "till".to_owned());
    let end = part(path.extension()).map(|end| format!(".{end}")).unwrap_or_default();
    let now = rfc3339(copy.clock.wall());
    let date: String = now.chars().take(19).filter(|character| character.is_ascii_alphanumeric()).collect();
    let name = |number: u32| match number {
        1 => format!("{stem}-before-restore-{date}Z{end}"),
        _ => format!("{stem}-before-restore-{date}Z-{number}{end}"),
    };
    let free = (1..1000).map(|number| path.with_file_name(name(number))).find(|path| path.symlink_metadata().is_err());
    free.unwrap_or_else(|| path.with_file_name(name(1)))
}

/// Root restores for the user whose service it is.
fn keep_owner(partial: &Path, path: &Path, is_there: bool) -> Result<(), Fault> {
    let owned = if is_there { path } else { folder_of(path) };
    let cannot =
        |cause| Fault::new(format!("the owner of {} cannot be given the restored file", owned.display()), cause);
    let (wanted, own) = (owned.metadata().map_err(cannot)?, partial.metadata().map_err(cannot)?);
    if (wanted.uid(), wanted.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    let given = chown(partial, Some(wanted.uid()), Some(wanted.gid()));
    if is_there && wanted.uid() != own.uid() {
        return given.map_err(cannot);
    }
    // A new database is this user's own where it cannot be the folder's owner's.
    let _lock_is_ours = given.and_then(|()| chown(beside(path, ".lock"), Some(wanted.uid()), Some(wanted.gid())));
    Ok(())
}
