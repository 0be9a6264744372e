//! `cargo bench`: the service API measured against an empty handler on the same machine, in one run. It fills a database,
//! starts the program and an empty axum handler, puts the same load on both in turns, and proves the books at the end.
//!
//! It looks at the program from outside, as its callers do; only what the database alone can do is asked of the library.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures how long answers take, outside of the program")]

mod baseline;
mod books;
mod caller;
mod disk;
mod figures;
mod history;
mod load;
mod operator;
mod options;
mod process;
mod product;
mod request;
mod rounds;
mod scale;
mod watch;

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use till::database::Database;
use till::error::Fault;
use tokio::signal::unix::{SignalKind, signal};

use books::Copy;
use history::History;
use options::{Options, Subject};
use process::Folder;
use product::Product;
use watch::{Watch, mebibytes};

/// What a step of it ends in.
type Outcome<T> = Result<T, Fault>;

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = if options.baseline {
        baseline::serve()
    } else if options.bench {
        interruptible(&options)
    } else {
        // `cargo test --benches` starts it as well, unoptimised: that would measure nothing.
        println!("Nothing is measured here. To measure: cargo bench");
        Ok(())
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until it is done or told to stop. Either way what it started ends and its folder goes.
fn interruptible(options: &Options) -> Outcome<()> {
    let folder = Folder::new(&options.folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Fault::new("cannot start the runtime", cause))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = run(options, &folder) => ended,
            stopped = told_to_stop() => stopped,
        }
    });
    // A read of standard input cannot be called off.
    runtime.shutdown_background();
    ended
}

async fn told_to_stop() -> Outcome<()> {
    let listen = |kind| signal(kind).map_err(|cause| Fault::new("cannot listen for signals", cause));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
    Err(Fault::bare("stopped before the end"))
}

async fn run(options: &Options, folder: &Folder) -> Outcome<()> {
    if options.only.contains(&Subject::Scale) {
        return scale::run(options, folder).await;
    }
    let (users, payments) = (options.users, options.payments);
    let history = History::of(users, options.entries)?;
    let (path, copy) = (folder.path("till.db"), folder.path("copy.db"));
    let wants_copy = options.wants(Subject::Sqlite) && !options.serve_only;
    let (seconds, bytes, copy) = blocking(move || {
        let seconds = history.write(&Database::File(path.clone()))?;
        operator::add_payments(&path, users, payments)?;
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        Ok((seconds, bytes, wants_copy.then(|| Copy::of(&path, &copy, users)).transpose()?))
    })
    .await?;
    let (entries, size) = (history.entries(), mebibytes(bytes));
    println!(
        "Filled the books with {entries} entries of {users} users in {seconds:.1} s, and {payments} payments: {size:.1} MiB."
    );
    let product = Product::start(&folder.path("till.db").display().to_string())?;
    println!("till serve: process {}, {}", product.id(), product.url());
    if options.serve_only {
        println!("Its token, good for these books only: {}", product.token());
        println!("Enter, or the end of standard input, ends it.");
        return blocking(|| {
            let _ended = std::io::stdin().read(&mut [0]);
            Ok(())
        })
        .await;
    }
    let watch = Watch::start(&product, folder)?;
    let cold = options.cold.then(|| folder.path("till.db"));
    let measured = rounds::measure(options, &product, copy.map(Arc::new), cold).await?;
    println!("\n{}", figures::table(&measured.rows, "of the empty handler"));
    if options.wants(Subject::Operator) {
        let lines = operator::measure(&product, users)?;
        lines.iter().for_each(|line| println!("{line}"));
    }
    let watched = watch.end(folder, measured.of_spends)?;
    measured.remarks.iter().chain(&watched).for_each(|line| println!("{line}"));

    let proof = product.stop_and_verify()?;
    println!("\ntill ledger verify: {}", proof.line);
    let expected = entries + measured.spends;
    if proof.entries != expected {
        let what = format!("the books hold {} entries, and {expected} were acknowledged", proof.entries);
        return Err(Fault::bare(what));
    }
    println!("Spends that were acknowledged: {}. Each is in the books, once.", measured.spends);
    println!("{} cores, commit {}. Again: {}", process::cores(), process::commit(), options.command());
    Ok(())
}

/// Runs `work` beside the loop that listens for signals.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|cause| Fault::new("a part of the run panicked", cause))?
}
