//! `till migrate`: the books go from a file into a server's database, or back. At every moment at most one of the two works: the
//! old one is marked before the first row is copied, and the new one is marked until the copy is proved.

use crate::actor::Actor;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Database;
use crate::error::{Error, Fault, Refused, Result};
use crate::id;
use crate::store::relocation::{self, CopyProgress, Direction, Relocation, RowCopy};
use crate::store::server_report::{self, ServerReport};
use crate::store::{Lock, Store};
use crate::usecase::audit;
use crate::usecase::operator::backup::refuse_breaks;
use crate::usecase::operator::head::{Anchor, take};
use crate::usecase::operator::verify::{Proof, verify, verify_against};

/// What was moved, or would be.
#[derive(Clone, Debug)]
pub struct RelocationReport {
    pub from: Database,
    pub to: Database,
    /// Rows of all tables.
    pub rows: i64,
    pub accounts: u64,
    pub entries: u64,
    /// Of the books as they left; `None` where nothing was moved.
    pub anchor: Option<String>,
    /// An earlier run had begun, and this one went on.
    pub was_begun: bool,
}

/// How far it is.
#[derive(Clone, Debug)]
pub enum Step {
    /// The books are proved, before or after.
    Proving(Proof),
    Copying(CopyProgress),
    Comparing(CopyProgress),
}

/// Moves the books that the configuration names into `to`. The caller has the lock of neither. With `dry_run` it only says what
/// it would do, and nothing is written.
pub fn relocate(
    config: &Config,
    to: &Database,
    dry_run: bool,
    mut progress: impl FnMut(&Step),
) -> Result<RelocationReport> {
    let from = &config.database;
    refuse_same_kind(from, to)?;
    if Store::is_missing(from)? {
        return Err(
            Fault::bare(format!("there is no database at {from}: name the right one in SPRITE_DATABASE")).into()
        );
    }
    let command = "till migrate";
    let lock = |database: &Database| Lock::take(database, command, &Clock::System);
    let _locks = (!dry_run).then(|| Ok::<_, Fault>((lock(from)?, lock(to)?))).transpose()?;
    let source = open(config, from)?;
    let marked = source.store.read(relocation::find)?;
    if marked.as_ref().is_some_and(|found| found.direction == Direction::In) {
        source.store.refuse_relocation()?;
    }
    let target = match (State::of(config, to), &marked) {
        (Err(_), Some(ours)) if ours.ended_at.is_some() => return Err(moved_already(from, ours)),
        (state, _) => state?,
    };
    let begun = begun(from, to, marked, &target)?;
    let was_begun = begun.is_some();
    if begun.is_none() {
        let rows = survey(&source)?;
        let proof = verify(&source, |proof| progress(&Step::Proving(proof.clone())))?;
        refuse_breaks(&proof, &format!("the books in {from} do not hold, and nothing was changed"))?;
        if dry_run {
            return Ok(report(from, to, rows, &proof, None, was_begun));
        }
    } else if dry_run {
        let rows = survey(&source)?;
        return Ok(report(from, to, rows, &Proof::default(), begun.map(|found| found.anchor), was_begun));
    }
    // With its tables before the old database is marked: what is missing there is then no harm.
    let target = match target {
        State::Marked(app, _) | State::Empty(Some(app)) => app,
        State::Empty(None) => open(config, to)?,
    };
    let leaving = match begun {
        Some(found) => found,
        None => depart(&source, to)?,
    };
    let arriving = match target.store.read(relocation::find)? {
        Some(found) => found,
        None => arrive(&target, &leaving, from)?,
    };
    let mut copy = RowCopy::between(&source.store, &target.store)?;
    copy.copy(&arriving, |at| progress(&Step::Copying(at.clone())))?;
    let compared = copy.compare(|at| progress(&Step::Comparing(at.clone())))?;
    let rows = compared.map_err(|differs| unproved(from, to, &differs))?;
    let anchor = Anchor::parse(&leaving.anchor).ok_or_else(|| unproved(from, to, "the anchor of the books is lost"))?;
    let proof = verify_against(&target, Some(&anchor), |proof| progress(&Step::Proving(proof.clone())))?;
    refuse_breaks(&proof, &format!("the copy in {to} does not hold, and is not in use"))?;
    finish(&source, &target)?;
    Ok(report(from, to, rows, &proof, Some(leaving.anchor), was_begun))
}

/// Takes a database into use again from which the books had been moved, or were being moved. Returns where they had gone.
pub fn reopen(config: &Config) -> Result<String> {
    let _lock = Lock::take(&config.database, "till migrate", &Clock::System)?;
    let app = open(config, &config.database)?;
    let found = app.store.read(relocation::find)?;
    let Some(found) = found.filter(|found| found.direction == Direction::Out) else {
        app.store.refuse_relocation()?;
        let detail = format!("{} is in use: no books were moved from there.", config.database);
        return Err(Refused::WrongState(detail).into());
    };
    let target = found.other.clone();
    audit::write(&app, move |tx, trail| {
        relocation::remove(tx)?;
        trail.add(tx, "books_reopened", &target, None)
    })?;
    Ok(found.other)
}

fn report(
    from: &Database,
    to: &Database,
    rows: i64,
    proof: &Proof,
    anchor: Option<String>,
    was_begun: bool,
) -> RelocationReport {
    let (accounts, entries) = (proof.accounts, proof.entries);
    RelocationReport { from: from.clone(), to: to.clone(), rows, accounts, entries, anchor, was_begun }
}

fn refuse_same_kind(from: &Database, to: &Database) -> Result<(), Refused> {
    let way = match (from, to) {
        (Database::File(_), Database::File(_)) => "both are files: till backup and till restore copy one",
        (Database::Server(_), Database::Server(_)) => "both are servers' databases: pg_dump and pg_restore copy one",
        _ => return Ok(()),
    };
    Err(Refused::InvalidRequest(format!("till migrate moves the books between a file and a server, and {way}.")))
}

fn open(config: &Config, database: &Database) -> Result<App, Fault> {
    let store = Store::open_in_relocation(database, &Clock::System)?;
    let config = Config { database: database.clone(), ..config.clone() };
    Ok(App::with_store(config, store)?.acting_for(Actor::command_line()))
}

/// What is in the database that the books go to.
enum State {
    /// Nothing. Open where it has our tables.
    Empty(Option<App>),
    /// A copy that is not proved.
    Marked(App, Relocation),
}

impl State {
    fn of(config: &Config, to: &Database) -> Result<State> {
        let is_blank = to.file().is_some_and(|file| file.metadata().is_ok_and(|file| file.len() == 0));
        if is_blank || Store::is_missing(to)? {
            if let Database::Server(address) = to {
                refuse_rights(to, &server_report::at(address)?)?;
            }
            return Ok(State::Empty(None));
        }
        let app = open(config, to)?;
        match app.store.read(relocation::find)? {
            Some(found) if found.direction == Direction::In => Ok(State::Marked(app, found)),
            Some(_) => Err(not_empty(to, "it is one that books were moved from")),
            None => match relocation::first_filled(&app.store)? {
                Some(table) => Err(not_empty(to, &format!("there are rows in its table {table}"))),
                None => Ok(State::Empty(Some(app))),
            },
        }
    }
}

/// Before the old database is marked.
fn refuse_rights(to: &Database, report: &ServerReport) -> Result<(), Refused> {
    if report.may_make_tables {
        return Ok(());
    }
    Err(Refused::InvalidRequest(format!(
        "the role may not make tables in {to}: GRANT CREATE ON SCHEMA public TO it, or let it own the database. Nothing was \
         changed."
    )))
}

fn not_empty(to: &Database, why: &str) -> Error {
    let way = match to {
        Database::File(_) => "name a file that does not exist yet",
        Database::Server(_) => "name an empty database (createdb)",
    };
    Refused::InvalidRequest(format!("{to} is not empty: {why}. Nothing was changed; {way}.")).into()
}

/// The relocation that an earlier run began, if it can go on.
fn begun(from: &Database, to: &Database, marked: Option<Relocation>, target: &State) -> Result<Option<Relocation>> {
    let refused = |what: String| Err(Refused::InvalidRequest(what).into());
    match (marked, target) {
        (None, State::Empty(_)) => Ok(None),
        (None, State::Marked(_, found)) => refused(format!(
            "{to} has an unfinished copy of {}, begun at another time: remove that database and make it again. Nothing was \
             changed.",
            found.other
        )),
        (Some(ours), State::Marked(_, theirs)) if ours.id == theirs.id => Ok(Some(ours)),
        // The copy was removed, or had not begun.
        (Some(ours), State::Empty(_)) if ours.ended_at.is_none() => Ok(Some(ours)),
        (Some(ours), State::Empty(_)) => Err(moved_already(from, &ours)),
        (Some(ours), State::Marked(..)) => refused(format!(
            "the books in {from} are being moved to {}, and {to} has an unfinished copy of another move. Nothing was changed.",
            ours.other
        )),
    }
}

fn moved_already(from: &Database, ours: &Relocation) -> Error {
    Refused::WrongState(format!(
        "the books in {from} were moved to {} already, where they go on. If that database is gone and nothing was done there, \
         run till migrate --reopen first.",
        ours.other
    ))
    .into()
}

fn survey(source: &App) -> Result<i64> {
    relocation::survey(&source.store)?.map_err(|unfit| {
        let detail = format!("{unfit}. Correct it first. Nothing was changed.");
        Refused::InvalidRequest(detail).into()
    })
}

/// Marks the old database, with an anchor of its books and a row in the audit.
fn depart(source: &App, to: &Database) -> Result<Relocation> {
    let anchor = take(source)?.to_string();
    let leaving = Relocation::begin(&id::secret("")?, Direction::Out, to, &anchor, source.clock.now());
    let (mark, target) = (leaving.clone(), to.to_string());
    audit::write(source, move |tx, trail| {
        relocation::add(tx, &mark)?;
        trail.add(tx, "books_moved", &target, mark.anchor.clone())
    })?;
    Ok(leaving)
}

fn arrive(target: &App, leaving: &Relocation, from: &Database) -> Result<Relocation> {
    let now = target.clock.now();
    let arriving = Relocation::begin(&leaving.id, Direction::In, from, &leaving.anchor, now);
    let mark = arriving.clone();
    target.store.write_alone(move |tx| relocation::add(tx, &mark))?;
    Ok(arriving)
}

/// The old database first: if the last step does not come, neither works, and the next run comes here again.
fn finish(source: &App, target: &App) -> Result<()> {
    let now = source.clock.now();
    source.store.write_alone(move |tx| relocation::end(tx, now))?;
    let times = source.store.read(relocation::times)?;
    target.store.write_alone(move |tx| {
        if let Some(times) = times {
            relocation::put_times(tx, times)?;
        }
        relocation::remove(tx)
    })
}

fn unproved(from: &Database, to: &Database, what: &str) -> Fault {
    Fault::bare(format!(
        "the copy in {to} is not that of {from}: {what}. It is not in use. Remove that database, make it again, and run this \
         again; till migrate --reopen takes {from} into use again"
    ))
}
