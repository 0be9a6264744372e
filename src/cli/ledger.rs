//! `till ledger`: the books proven, and the books as CSV.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{Stream, print, print_json};
use super::settings::{Books, IfMissing};
use super::{Done, Failure, shapes};
use crate::app::App;
use crate::config::Need;
use crate::error::Fault;
use crate::ledger::{Discrepancy, entry_id};
use crate::usecase::operator::export::export;
use crate::usecase::operator::verify::{Proof, verify};

/// Accounts between two reports of progress.
const PROGRESS_STEP: u64 = 1000;

/// Prove the books; write them as CSV
#[derive(Args)]
pub(super) struct Ledger {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prove that no entry was changed, removed or inserted, and that every balance follows from its entries
    ///
    /// Exits with 1 and names each break on a line of its own when the books do not hold.
    #[command(after_help = "Example:\n  till ledger verify")]
    Verify {
        /// Print {"holds","accounts","entries","breaks":[{"account","entry","what"}]}
        #[arg(long)]
        json: bool,
    },
    /// Write all entries as CSV, each with its hash and the one before, so that the file proves itself
    #[command(after_help = "Examples:\n  till ledger export --output books.csv\n  till ledger export --user alice")]
    Export {
        /// Only this user's entries
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Write to this file instead of standard output; it is replaced only when the export is complete
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl Ledger {
    pub(super) fn run(&self) -> Done {
        let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
        match &self.verb {
            Verb::Verify { json } => prove(&app, *json),
            Verb::Export { user, output: None } => {
                let mut stream = Stream::open();
                let written = export(&app, user.as_deref(), &mut stream);
                written.map(|_| ()).map_err(|error| stream.judge(error.into()))
            }
            Verb::Export { user, output: Some(path) } => export_to(&app, user.as_deref(), path),
        }
    }
}

fn prove(app: &App, json: bool) -> Done {
    let mut shown = false;
    let on_terminal = stderr().is_terminal();
    let proof = verify(app, |proof| {
        if on_terminal && proof.accounts % PROGRESS_STEP == 0 {
            shown = true;
            progress(&format!("accounts {}, entries {}", proof.accounts, proof.entries));
        }
    })?;
    if shown {
        progress("");
    }
    let holds = proof.breaks.is_empty();
    if json {
        print_json(&as_json(&proof))?;
    } else {
        print(&in_words(&proof))?;
    }
    if holds { Ok(()) } else { Err(Failure::FallsShort) }
}

/// One line on the terminal, over the one before.
fn progress(text: &str) {
    let mut stderr = stderr().lock();
    let _unseen = write!(stderr, "\r\u{1b}[K{text}").and_then(|()| stderr.flush());
}

fn in_words(proof: &Proof) -> String {
    let mut text = String::new();
    for Discrepancy { account, seq, what } in &proof.breaks {
        match seq {
            0 => text.push_str(&format!("account {account}: {what}\n")),
            seq => text.push_str(&format!("account {account}, {}: {what}\n", entry_id(*account, *seq))),
        }
    }
    let verdict = match proof.breaks.len() {
        0 => "The books hold".to_owned(),
        1 => "The books do not hold, in one place".to_owned(),
        count => format!("The books do not hold, in {count} places"),
    };
    text.push_str(&format!("{verdict}: accounts {}, entries {}.\n", proof.accounts, proof.entries));
    text
}

fn as_json(proof: &Proof) -> shapes::Proof {
    let broken = |found: &Discrepancy| shapes::Discrepancy {
        account: found.account,
        entry: (found.seq > 0).then(|| entry_id(found.account, found.seq)),
        what: found.what.clone(),
    };
    let breaks: Vec<_> = proof.breaks.iter().map(broken).collect();
    shapes::Proof { holds: breaks.is_empty(), accounts: proof.accounts, entries: proof.entries, breaks }
}

/// Writes beside the file and moves it there in the end, so that no half export is ever taken for a whole one.
fn export_to(app: &App, user: Option<&str>, path: &Path) -> Done {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let cannot = |cause| Fault::new(format!("cannot write {}", path.display()), cause);
    let mut file = BufWriter::new(File::create(&partial).map_err(cannot)?);
    let written = export(app, user, &mut file).map_err(Failure::from).and_then(|count| {
        let file = file.into_inner().map_err(|cause| cannot(cause.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&partial, path)).map_err(cannot)?;
        Ok(count)
    });
    if written.is_err() {
        let _nothing_there = std::fs::remove_file(&partial);
    }
    print(&format!("{} entries in {}\n", written?, path.display()))
}
