//! `till backup`: a copy of the database while it is in use, in a file, on standard output, or given to a command.

use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::output::{print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, IfMissing};
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::clock::rfc3339;
use crate::config::Need;
use crate::error::Fault;
use crate::usecase::operator::backup::{self, BackupReport, Packing};
use crate::usecase::operator::verify::Proof;

/// Copy the database while it is in use, and prove the copy
///
/// The copy shows one moment, whatever is written meanwhile, and only its owner can read it. It is made beside PATH under
/// another name, proved as till ledger verify does, and then gets its name; an older backup of that name is replaced. A copy
/// that does not hold is removed, and the command fails. It holds people's data and secrets: encrypt it before it leaves
/// this machine. A name that ends in .zst is packed by the program zstd, which has to be installed.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  till backup /var/backups/till.db\n  till backup --keep 14 --zstd /var/backups/till\n  \
    till backup --to-command 'restic backup --stdin --stdin-filename till.db'\n  \
    till backup - | age -r age1… > till.db.age"
)]
pub(super) struct BackupCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where the copy is written; - for standard output, and then what else is said goes to standard error
    #[arg(value_name = "PATH", required_unless_present = "to_command", conflicts_with = "to_command")]
    path: Option<PathBuf>,
    /// PATH is a folder: make a file with the date in its name there, and then remove those that are older than so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=36_500), conflicts_with = "to_command")]
    keep: Option<i64>,
    /// Give the copy to the standard input of this command, run by /bin/sh; where it fails, the backup has failed
    #[arg(long, value_name = "COMMAND")]
    to_command: Option<String>,
    /// Pack it by the program zstd, as a name that ends in .zst does
    #[arg(long)]
    zstd: bool,
    /// Print {"path","bytes","accounts","entries","anchor","made_at","removed"}
    #[arg(long)]
    json: bool,
}

/// Where the copy goes.
enum Destination<'a> {
    File(&'a Path),
    Folder(&'a Path, i64),
    Output,
    Command(&'a str),
}

impl BackupCommand {
    pub(super) fn run(&self) -> CommandResult {
        let destination = self.destination()?;
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        let mut screen = Screen::open(false);
        let mut progress = |proof: &Proof| {
            if proof.accounts.is_multiple_of(1000) {
                screen.show(&format!("proving the copy: accounts {}, entries {}", proof.accounts, proof.entries));
            }
        };
        let packing = if self.zstd { Packing::Zstd } else { Packing::Plain };
        let (report, removed) = match destination {
            Destination::File(path) => {
                let packing = if self.zstd { packing } else { Packing::of_name(path) };
                (backup::to_file(&app, path, packing, &mut progress)?, vec![])
            }
            Destination::Folder(folder, days) => backup::to_folder(&app, folder, days, packing, &mut progress)?,
            Destination::Output => (to_output(&app, packing, &mut progress)?, vec![]),
            Destination::Command(command) => (backup::to_command(&app, command, packing, &mut progress)?, vec![]),
        };
        drop(screen);
        if !matches!(destination, Destination::Output) {
            return if self.json {
                print_json(&as_json(&report, &removed))
            } else {
                print(&as_text(&report, &removed))
            };
        }
        let words = match self.json {
            true => format!("{}\n", as_json(&report, &removed)),
            false => as_text(&report, &removed),
        };
        let _unwritten = std::io::stderr().lock().write_all(words.as_bytes());
        Ok(())
    }

    fn destination(&self) -> CommandResult<Destination<'_>> {
        let is_output = self.path.as_deref() == Some(Path::new("-"));
        let refused = |what: &str| Err(CommandError::Usage(vec![what.to_owned()]));
        match (&self.to_command, &self.path, self.keep) {
            (Some(command), _, _) => Ok(Destination::Command(command)),
            (None, Some(_), Some(_)) if is_output => refused("--keep needs a folder, and - is standard output"),
            (None, Some(_), None) if is_output && stdout().is_terminal() => {
                refused("standard output is a terminal: name a file, or pass it on (till backup - | …)")
            }
            (None, Some(_), None) if is_output => Ok(Destination::Output),
            (None, Some(folder), Some(days)) => Ok(Destination::Folder(folder, days)),
            (None, Some(path), None) => Ok(Destination::File(path)),
            (None, None, _) => refused("PATH or --to-command was expected"),
        }
    }
}

/// A reader that goes away early has no backup, so that is a failure here.
fn to_output(app: &App, packing: Packing, progress: &mut impl FnMut(&Proof)) -> CommandResult<BackupReport> {
    let copied = backup::beside_the_database(app, packing, progress)?;
    let written = copied.write_to(&mut stdout().lock());
    written.map_err(|cause| Fault::new("the backup was not written to standard output", cause))?;
    Ok(copied.was_written(app, "-")?)
}

fn as_json(report: &BackupReport, removed: &[PathBuf]) -> Value {
    let BackupReport { backup, accounts, entries, anchor } = report;
    json!({
        "path": backup.place,
        "bytes": backup.bytes,
        "accounts": accounts,
        "entries": entries,
        "anchor": anchor.to_string(),
        "made_at": rfc3339(backup.made_at),
        "removed": removed,
    })
}

fn as_text(report: &BackupReport, removed: &[PathBuf]) -> String {
    let BackupReport { backup, accounts, entries, anchor } = report;
    let place = if backup.place == "-" { "standard output" } else { &backup.place };
    let removed: String = removed.iter().map(|path| format!("removed {}\n", path.display())).collect();
    format!(
        "The books hold in {place}: accounts {accounts}, entries {entries}, bytes {}.\n{removed}{anchor}\n",
        backup.bytes
    )
}
