//! `till backup`: a copy of the database as it is at one moment, while it is in use. The copy gets its name when it is whole,
//! on the disk, and proved. It goes to a file, a folder of dated ones (`rotation`), standard output, or a command (`receiver`),
//! packed (`packing`) or not.

mod packing;
mod receiver;
mod rotation;

use std::fs::{File, remove_file};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use packing::{MAGIC as PACKED_MAGIC, Packing, unpack};

use crate::app::App;
use crate::config::Config;
use crate::database::Database;
use crate::error::{Fault, Refused, Result};
use crate::private_file::{PrivateFile, beside, folder_of, is_same_folder};
use crate::store::Lock;
use crate::store::backups::{self, Backup, COMPANIONS};
use crate::usecase::audit;
use crate::usecase::operator::head::{self, Anchor};
use crate::usecase::operator::output_file::{refuse_database, refuse_other_content};
use crate::usecase::operator::verify::{Proof, verify_against};

/// What every database of SQLite begins with ("Database File Format", section 1.3).
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a backup contains.
#[derive(Clone, Debug)]
pub struct BackupReport {
    pub backup: Backup,
    /// Accounts and entries in it.
    pub accounts: u64,
    pub entries: u64,
    /// An anchor that it contains, and the books that it was made of.
    pub anchor: Anchor,
}

/// Removes what SQLite left beside a copy, which keeps nothing there once it is closed.
pub(super) struct Companions(PathBuf);

impl Companions {
    /// Those of the copy at `path`, when this is dropped.
    pub(super) fn of(path: &Path) -> Companions {
        Companions(path.to_owned())
    }
}

impl Drop for Companions {
    fn drop(&mut self) {
        for suffix in COMPANIONS {
            let _not_there = remove_file(beside(&self.0, suffix));
        }
    }
}

/// A copy that is proved, and has no name of its own yet.
pub struct ProvedCopy {
    file: PrivateFile,
    anchor: Anchor,
    proof: Proof,
    bytes: u64,
}

/// Copies the database to the file at `path`. A backup that is there is replaced.
pub fn to_file(app: &App, path: &Path, packing: Packing, progress: impl FnMut(&Proof)) -> Result<BackupReport> {
    refuse_place(app, path)?;
    let copy = copy(app, path, packing, progress)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (report, file) = copy.named(app, &absolute.display().to_string());
    file.finish().map_err(|cause| cannot_write(path, cause))?;
    recorded(app, report)
}

/// Copies the database into a folder, under a name with the date, and then removes copies of it there that are older than so
/// many days. Returns those as well.
pub fn to_folder(
    app: &App,
    folder: &Path,
    days: i64,
    packing: Packing,
    progress: impl FnMut(&Proof),
) -> Result<(BackupReport, Vec<PathBuf>)> {
    let path = rotation::dated(app, folder, packing)?;
    let report = to_file(app, &path, packing, progress)?;
    let removed = rotation::remove_old(app, folder, &path, days)?;
    Ok((report, removed))
}

/// Gives a copy to the standard input of a command. It counts only if the command reads all of it and ends well.
pub fn to_command(app: &App, command: &str, packing: Packing, progress: impl FnMut(&Proof)) -> Result<BackupReport> {
    let copy = beside_the_database(app, packing, progress)?;
    receiver::feed(&copy, command)?;
    copy.was_written(app, "a command")
}

/// Copies the database beside itself, for a caller who writes it elsewhere and then calls [`ProvedCopy::was_written`]. It is
/// packed before, so that nobody is given a part of it.
pub fn beside_the_database(app: &App, packing: Packing, progress: impl FnMut(&Proof)) -> Result<ProvedCopy> {
    copy(app, &beside(app.store.file_to_copy()?, ".backup"), packing, progress)
}

impl ProvedCopy {
    /// Writes all of it.
    pub fn write_to(&self, out: &mut impl Write) -> Result<(), Fault> {
        let mut file = File::open(self.file.partial()).map_err(|cause| cannot_write(self.file.partial(), cause))?;
        let written = io::copy(&mut file, out).and_then(|_| out.flush());
        written.map_err(|cause| Fault::new("the backup cannot be passed on", cause))
    }

    /// It was written to this place; the copy is removed.
    pub fn was_written(self, app: &App, place: &str) -> Result<BackupReport> {
        let (report, _removed) = self.named(app, place);
        recorded(app, report)
    }

    fn named(self, app: &App, place: &str) -> (BackupReport, PrivateFile) {
        let ProvedCopy { file, anchor, proof, bytes } = self;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        // The moment that it shows is not earlier than its anchor's.
        let made_at = anchor.taken_at.unwrap_or_else(|| app.clock.now());
        let backup = Backup { made_at, place: place.to_owned(), bytes };
        (BackupReport { backup, accounts: proof.accounts, entries: proof.entries, anchor }, file)
    }
}

fn copy(app: &App, path: &Path, packing: Packing, progress: impl FnMut(&Proof)) -> Result<ProvedCopy> {
    // Before the copy, so that the copy knows the anchor, and nobody else has another one of the same number.
    let anchor = head::take(app)?;
    let mut file = PrivateFile::begin(path).map_err(|cause| cannot_write(path, cause))?;
    if is_same_folder(path, app.store.file_to_copy()?) {
        file = file.for_owner();
    }
    let _companions = Companions::of(file.partial());
    app.store.copy_into(file.partial())?;
    let opened = App::open(of_database(&app.config, file.partial()), app.clock.clone())?;
    let proof = verify_against(&opened, Some(&anchor), progress);
    // What its opening wrote into a log is moved into it before it is looked at further.
    drop(opened);
    let proof = proof?;
    refuse_breaks(&proof, "the copy does not hold, so it was removed")?;
    refuse_log(file.partial())?;
    let file = match packing {
        Packing::Plain => file,
        Packing::Zstd => packed(&file, path)?,
    };
    let bytes = file.partial().metadata().map_err(|cause| cannot_write(path, cause))?.len();
    Ok(ProvedCopy { file, anchor, proof, bytes })
}

/// The same file packed, and proved to give the same bytes again.
fn packed(file: &PrivateFile, path: &Path) -> Result<PrivateFile, Fault> {
    let open = |path: &Path| File::open(path).map_err(|cause| cannot_write(path, cause));
    let mut packed = PrivateFile::begin(path).map_err(|cause| cannot_write(path, cause))?;
    packing::pack(open(file.partial())?, &mut packed)?;
    packing::prove(open(packed.partial())?, open(file.partial())?)?;
    Ok(packed)
}

fn recorded(app: &App, report: BackupReport) -> Result<BackupReport> {
    audit::write(app, move |tx, trail| {
        backups::record(tx, &report.backup)?;
        trail.add(tx, "backup_made", &report.backup.place, format!("{} entries", report.entries))?;
        Ok(report.clone())
    })
}

/// The same configuration for another database.
pub(super) fn of_database(config: &Config, path: &Path) -> Config {
    Config { database: Database::File(path.to_owned()), ..config.clone() }
}

/// Refuses what does not prove, naming the first breaks.
pub(super) fn refuse_breaks(proof: &Proof, what: &str) -> Result<(), Fault> {
    const SHOWN: usize = 5;
    let Some(more) = proof.breaks.len().checked_sub(1) else { return Ok(()) };
    let mut lines: Vec<String> = vec![format!("{what}:")];
    for found in proof.breaks.iter().take(SHOWN) {
        let place = if found.account == 0 { "the books".to_owned() } else { format!("account {}", found.account) };
        lines.push(format!("  {place}: {}", found.what));
    }
    if more >= SHOWN {
        lines.push(format!("  and {} more", more + 1 - SHOWN));
    }
    Err(Fault::bare(lines.join("\n")))
}

/// A database that is closed has no log; one that has is still in use.
pub(super) fn refuse_log(path: &Path) -> Result<(), Fault> {
    match beside(path, "-wal").symlink_metadata().is_ok_and(|log| log.len() > 0) {
        true => Err(Fault::bare("the log of the copy was not moved into it: another program has it open")),
        false => Ok(()),
    }
}

/// Refuses the database itself, what SQLite and till keep beside it, other databases in use, and files that are no backups.
fn refuse_place(app: &App, path: &Path) -> Result<()> {
    let refused = |why: String| Err(Refused::InvalidRequest(why).into());
    let shown = path.display();
    if path.is_dir() {
        return refused(format!("{shown} is a folder: the path of a file was expected, such as {shown}/till.db"));
    }
    let folder = folder_of(path);
    if !folder.exists() {
        let what = format!(
            "cannot write {shown}: there is no folder {}. Make it first; --keep makes its own",
            folder.display()
        );
        return Err(Fault::bare(what).into());
    }
    refuse_database(path, app.store.database())?;
    let is_in_use = Lock::holder(&Database::File(path.to_owned())).is_some()
        || beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    if is_in_use {
        return refused(format!("{shown} is a database in use, or has a log beside it: name another file"));
    }
    Ok(refuse_other_content(path, &[MAGIC, &PACKED_MAGIC], "backup")?)
}

fn cannot_write(path: &Path, cause: std::io::Error) -> Fault {
    Fault::new(format!("cannot write {}", path.display()), cause)
}
