//! `--only scale`: the same spends on a file, on a server's database by one, two and three processes, and by hand-written SQL on the
//! same server, in turns. Then where the time went, and what a spend adds on the disk.

mod pgbench;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use till::database::{Database, ServerAddress};
use till::error::Fault;

use crate::figures::{Figure, Row, table};
use crate::history::History;
use crate::load::{Load, Round};
use crate::options::Options;
use crate::process::{Folder, cores, cpu_seconds};
use crate::product::Product;
use crate::request::{Request, Who};
use crate::{Outcome, blocking};
use server::Server;

/// Rounds of each row.
const ROUNDS: u32 = 5;
/// The most processes on one database.
const PROCESSES: usize = 3;
const BY_HAND: &str = "PostgreSQL, pgbench by hand-written SQL";
/// The database of the processes.
const BOOKS: &str = "till";

/// What is measured side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    File,
    Processes(usize),
    ByHand,
}

/// One row in the making.
struct Measurement {
    subject: Subject,
    figures: Vec<Figure>,
    /// Processor seconds: of till, of PostgreSQL, and of the load.
    used: [f64; 3],
    spends: u64,
    failures: u64,
    failure: Option<String>,
}

/// All that runs meanwhile.
struct Scene {
    server: Arc<Server>,
    file: Product,
    processes: Vec<Product>,
    folder: PathBuf,
    users: u32,
    connections: u32,
}

/// Measures, and proves both books.
pub async fn run(options: &Options, folder: &Folder) -> Outcome<()> {
    let scene = Scene::open(options, folder).await?;
    let length = Duration::from_secs(u64::from(options.seconds).div_ceil(ROUNDS.into()));
    let subjects =
        [Subject::File, Subject::Processes(1), Subject::Processes(2), Subject::Processes(PROCESSES), Subject::ByHand];
    let mut measurements: Vec<Measurement> = subjects.into_iter().map(Measurement::new).collect();
    scene.server.ask("postgres", "SELECT pg_stat_statements_reset()")?;
    let before = scene.disk()?;
    for round in 0..ROUNDS {
        for (number, measurement) in measurements.iter_mut().enumerate() {
            measurement.run(&scene, length, u64::from(round) << 56 | (number as u64) << 48).await?;
        }
    }
    let by_hand = measurements.iter().find(|row| row.subject == Subject::ByHand);
    let against: Vec<Figure> = by_hand.map(|row| row.figures.clone()).unwrap_or_default();
    let rows = measurements.iter().map(|row| Row::of(row.subject.name(), &row.figures, Some(&against)));
    println!("\n{}", table(&rows.collect::<Vec<_>>(), "of pgbench"));
    measurements.iter().flat_map(Measurement::remarks).for_each(|line| println!("{line}"));
    let spends: u64 =
        measurements.iter().filter(|row| matches!(row.subject, Subject::Processes(_))).map(|row| row.spends).sum();
    scene.say_where_time_goes(spends, before)?;
    scene.prove(options, &measurements)?;
    println!("{} cores, commit {}. Again: {}", cores(), crate::process::commit(), options.command());
    Ok(())
}

impl Scene {
    async fn open(options: &Options, folder: &Folder) -> Outcome<Scene> {
        let (users, connections) = (options.users, options.connections);
        let history = History::of(users, options.entries)?;
        let path = folder.path("till.db");
        let server = Arc::new(Server::start(folder)?);
        let url = server.url(BOOKS);
        let address = ServerAddress::parse(&url).ok_or_else(|| Fault::bare(format!("{url} is no address")))?;
        let address = address.map_err(Fault::bare)?;
        let (on_file, on_server) = (Database::File(path.clone()), Database::Server(address));
        let [one, other] = blocking(move || Ok([history.write(&on_file)?, history.write(&on_server)?])).await?;
        let entries = history.entries();
        println!(
            "Filled the books with {entries} entries of {users} users: a file in {one:.1} s, PostgreSQL in {other:.1} s."
        );
        // As the server's own upkeep would soon do; until then it plans by guesses.
        server.ask(BOOKS, "ANALYZE")?;
        pgbench::copy_books(&server, folder)?;
        let file = Product::start(&path.display().to_string())?;
        let processes = (0..PROCESSES).map(|_| Product::start(&url)).collect::<Outcome<Vec<_>>>()?;
        Ok(Scene { server, file, processes, folder: folder.path(""), users, connections })
    }

    fn products(&self, subject: Subject) -> &[Product] {
        match subject {
            Subject::File => std::slice::from_ref(&self.file),
            Subject::Processes(count) => &self.processes[..count],
            Subject::ByHand => &[],
        }
    }

    /// Bytes of the table that holds the books with its indexes, and bytes of the write-ahead log so far.
    fn disk(&self) -> Outcome<[f64; 2]> {
        let of = |sql| self.server.number(BOOKS, sql);
        Ok([of("SELECT pg_total_relation_size('books')")?, of("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")?])
    }

    /// Of the processes on the server: what the server's statements took, and what a spend adds to the books.
    fn say_where_time_goes(&self, spends: u64, before: [f64; 2]) -> Outcome<()> {
        const LONGEST: &str = "SELECT round(s.total_exec_time::numeric * 1000 / ?, 1), round(s.calls::numeric / ?, 2),
            left(regexp_replace(s.query, '\\s+', ' ', 'g'), 90)
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = 'till'
            ORDER BY s.total_exec_time DESC LIMIT 8";
        let count = spends.max(1).to_string();
        println!("\nOf a spend on PostgreSQL by till, inside of the server (pg_stat_statements): µs, calls, statement");
        println!("{}", self.server.ask("postgres", &LONGEST.replace('?', &count))?);
        let bytes = (self.disk()?[0] - before[0]) / spends.max(1) as f64;
        println!("The table of the books grew by {bytes:.0} bytes for each spend, with its indexes.");
        Ok(())
    }

    /// Ends everything, proves both books, and counts their entries.
    fn prove(self, options: &Options, measurements: &[Measurement]) -> Outcome<()> {
        let before = History::of(options.users, options.entries)?.entries();
        let spends = |is_file: bool| -> u64 {
            let of = measurements.iter().filter(|row| row.subject != Subject::ByHand);
            of.filter(|row| (row.subject == Subject::File) == is_file).map(|row| row.spends).sum()
        };
        let mut processes = self.processes;
        let last = processes.pop().ok_or_else(|| Fault::bare("no process was started"))?;
        processes.into_iter().try_for_each(Product::stop)?;
        for (product, spends) in [(self.file, spends(true)), (last, spends(false))] {
            let proof = product.stop_and_verify()?;
            println!("till ledger verify: {}", proof.line);
            if proof.entries != before + spends {
                let what =
                    format!("the books hold {} entries, and {} were acknowledged", proof.entries, before + spends);
                return Err(Fault::bare(what));
            }
        }
        Ok(())
    }
}

impl Subject {
    fn name(self) -> String {
        match self {
            Subject::File => "SQLite, one process".to_owned(),
            Subject::Processes(1) => "PostgreSQL, one process".to_owned(),
            Subject::Processes(count) => format!("PostgreSQL, {count} processes"),
            Subject::ByHand => BY_HAND.to_owned(),
        }
    }
}

impl Measurement {
    fn new(subject: Subject) -> Measurement {
        Measurement { subject, figures: vec![], used: [0.0; 3], spends: 0, failures: 0, failure: None }
    }

    async fn run(&mut self, scene: &Scene, length: Duration, seed: u64) -> Outcome<()> {
        let products = scene.products(self.subject);
        let used = || {
            let till: f64 = products.iter().map(|product| cpu_seconds(product.id())).sum();
            [till, scene.server.cpu_seconds(), cpu_seconds(std::process::id())]
        };
        let before = used();
        let round = self.put_load(scene, length, seed).await?;
        for (sum, (after, before)) in self.used.iter_mut().zip(used().into_iter().zip(before)) {
            *sum += after - before;
        }
        let [till, server, _] = used();
        let cost = if products.is_empty() { server - before[1] } else { till - before[0] };
        let rate = match self.subject {
            Subject::ByHand => round.answered as f64 / round.window.as_secs_f64(),
            _ => round.latencies.len() as f64 / round.window.as_secs_f64(),
        };
        self.figures.push(Figure::of(&round, 1, cost).at_rate(rate));
        self.spends += round.answered;
        self.failures += round.failures;
        self.failure = self.failure.take().or(round.failure);
        Ok(())
    }

    async fn put_load(&self, scene: &Scene, length: Duration, seed: u64) -> Outcome<Round> {
        let (users, connections) = (scene.users, scene.connections);
        let products = scene.products(self.subject);
        let Some(first) = products.first() else {
            let (server, folder) = (Arc::clone(&scene.server), scene.folder.clone());
            return blocking(move || pgbench::run(&server, &folder, users, connections, length, seed)).await;
        };
        let request = Request::spend(first.token(), Who::Among(users));
        let load = Load { addresses: products.iter().map(Product::address).collect(), request, connections };
        blocking(move || load.run(length, seed)).await
    }

    fn remarks(&self) -> Vec<String> {
        let [till, server, load] = self.used.map(|seconds| seconds * 1e6 / self.spends.max(1) as f64);
        let name = self.subject.name();
        let load = if self.subject == Subject::ByHand { String::new() } else { format!(", the load {load:.1}") };
        let used = format!("{name}: processor µs for each spend: till {till:.1}, PostgreSQL {server:.1}{load}");
        let failure = self.failure.as_deref().unwrap_or("-");
        let failed = (self.failures > 0).then(|| format!("{name}: {} failures, the first: {failure}", self.failures));
        std::iter::once(used).chain(failed).collect()
    }
}
