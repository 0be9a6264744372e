//! `till backup`: a copy of the database while it is in use, in a file or on standard output.

use std::io::{IsTerminal, Write, copy, stdout};
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
use crate::usecase::operator::backup::{self, BackupReport};
use crate::usecase::operator::verify::Proof;

/// Copy the database while it is in use, and prove the copy
///
/// The copy shows one moment, whatever is written meanwhile, and only its owner can read it. It is made beside PATH under
/// another name, proved as till ledger verify does, and then gets its name; an older file of that name is replaced. A copy
/// that does not hold is removed, and the command fails. It holds people's data and secrets: encrypt it before it leaves
/// this machine.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  till backup /var/backups/till.db\n  till backup - | age -r age1… > till.db.age\n  \
    till backup - | restic backup --stdin --stdin-filename till.db"
)]
pub(super) struct BackupCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where the copy is written; - for standard output, and then what else is said goes to standard error
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Print {"path","bytes","accounts","entries","anchor","made_at"}
    #[arg(long)]
    json: bool,
}

impl BackupCommand {
    pub(super) fn run(&self) -> CommandResult {
        let is_stream = self.path == Path::new("-");
        if is_stream && stdout().is_terminal() {
            let what = "standard output is a terminal: name a file, or pass it on (till backup - | …)";
            return Err(CommandError::Usage(vec![what.to_owned()]));
        }
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        let mut screen = Screen::open(false);
        let mut progress = |proof: &Proof| {
            if proof.accounts.is_multiple_of(1000) {
                screen.show(&format!("proving the copy: accounts {}, entries {}", proof.accounts, proof.entries));
            }
        };
        if !is_stream {
            let report = backup::to_file(&app, &self.path, &mut progress)?;
            drop(screen);
            return if self.json { print_json(&as_json(&report)) } else { print(&as_text(&report)) };
        }
        let report = to_stream(&app, &mut progress)?;
        drop(screen);
        let words = if self.json { format!("{}\n", as_json(&report)) } else { as_text(&report) };
        let _unwritten = std::io::stderr().lock().write_all(words.as_bytes());
        Ok(())
    }
}

/// A reader that goes away early has no backup, so that is a failure here.
fn to_stream(app: &App, progress: &mut impl FnMut(&Proof)) -> CommandResult<BackupReport> {
    let copied = backup::beside_the_database(app, progress)?;
    let mut out = stdout().lock();
    let written = copy(&mut copied.open()?, &mut out).and_then(|_| out.flush());
    written.map_err(|cause| Fault::new("the backup was not written to standard output", cause))?;
    Ok(copied.was_written(app)?)
}

fn as_json(report: &BackupReport) -> Value {
    let BackupReport { backup, accounts, entries, anchor } = report;
    json!({
        "path": backup.place,
        "bytes": backup.bytes,
        "accounts": accounts,
        "entries": entries,
        "anchor": anchor.to_string(),
        "made_at": rfc3339(backup.made_at),
    })
}

fn as_text(report: &BackupReport) -> String {
    let BackupReport { backup, accounts, entries, anchor } = report;
    let place = if backup.place == "-" { "standard output" } else { &backup.place };
    format!("The books hold in {place}: accounts {accounts}, entries {entries}, bytes {}.\n{anchor}\n", backup.bytes)
}
