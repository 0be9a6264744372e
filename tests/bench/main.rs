//! How fast the service API is, and against what: `cargo bench`. A database with a hundred thousand users is filled, the
//! release binary serves it, and an empty axum handler stands beside it on the same runtime, under the same load, in the
//! same run. Each figure is the median of several rounds that take turns, so that a change in the machine meets both.
//!
//! `cargo bench -- --users 1000 --seconds 1 --only spends` for a short look; `--folder /dev/shm` to see what is left when
//! the disk costs nothing; `--serve-only` to attach a profiler.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod baseline;
mod books;
mod load;
mod product;

use std::path::PathBuf;
use std::time::Duration;

use load::{Figures, Load, Request};

/// What the command line asks for.
struct Asked {
    users: usize,
    seconds: u64,
    connections: usize,
    rounds: usize,
    only: Option<String>,
    serve_only: bool,
    folder: PathBuf,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == baseline::WORD) {
        return baseline::serve();
    }
    let asked = asked(&words);
    let folder = asked.folder.join(till::id::secret("till-bench-").unwrap());
    std::fs::create_dir(&folder).unwrap();
    let outcome = std::panic::catch_unwind(|| run(&asked, &folder));
    std::fs::remove_dir_all(&folder).unwrap();
    if outcome.is_err() {
        std::process::exit(1);
    }
}

fn asked(words: &[String]) -> Asked {
    let value = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
    let number = |name: &str, default: usize, most: usize| {
        value(name)
            .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} {text}: a number was expected")))
            .clamp(1, most)
    };
    Asked {
        users: number("--users", 100_000, 1_000_000),
        seconds: number("--seconds", 4, 60) as u64,
        connections: number("--connections", 64, 1000),
        rounds: number("--rounds", 3, 15),
        only: value("--only").cloned(),
        folder: value("--folder").map_or_else(std::env::temp_dir, PathBuf::from),
        serve_only: words.iter().any(|word| word == "--serve-only"),
    }
}

fn run(asked: &Asked, folder: &std::path::Path) {
    let database = folder.join("till.db");
    let filled = std::time::Instant::now();
    books::fill(&database, asked.users);
    println!("{} users filled in {:.1} s", asked.users, filled.elapsed().as_secs_f64());
    let product = product::start(&database);
    if asked.serve_only {
        println!("pid {} serves {} with the token {}; Enter ends it", product.id(), product.address, product.token);
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let empty = baseline::start();
    let wanted = |name: &str| asked.only.as_deref().is_none_or(|only| only == name);
    println!("{} connections, rounds of {} s, median of {}\n", asked.connections, asked.seconds, asked.rounds);
    println!("{:<34}{:>10}{:>10}{:>10}{:>10}{:>10}", "", "a second", "p50 ms", "p99 ms", "cpu µs", "of empty");
    let load = |(address, server), request| Load {
        address,
        server,
        token: product.token.clone(),
        request,
        users: asked.users,
        connections: asked.connections,
        lasts: Duration::from_secs(asked.seconds),
    };
    for (name, request, text) in [
        ("spends", Request::Spend, "durable spends"),
        ("reads", Request::Read, "balance reads"),
        ("batch", Request::Batch, "spends in batches of 1,000"),
    ] {
        if !wanted(name) {
            continue;
        }
        let compared = if request == Request::Batch { Request::Spend } else { request };
        let mut rounds = [vec![], vec![]];
        for round in 0..asked.rounds {
            rounds[0].push(load((empty.address, empty.id()), compared).run(round));
            rounds[1].push(load((product.address, product.id()), request).run(round));
        }
        let [nothing, ours] = rounds.map(Figures::median);
        line(&format!("empty handler ({})", if compared == Request::Read { "GET" } else { "POST" }), &nothing, None);
        line(text, &ours, Some(nothing.per_second));
    }
    product.stop();
    if wanted("sqlite") {
        let alone =
            books::spends_straight(&database, asked.users, asked.connections, Duration::from_secs(asked.seconds));
        println!("{:<34}{alone:>10.0}", "the same statements, no HTTP");
    }
    println!("\n{}", product::verify(&database));
}

fn line(name: &str, figures: &Figures, empty: Option<f64>) {
    let ratio = empty.map_or_else(String::new, |empty| format!("{:.0}%", 100.0 * figures.per_second / empty));
    let Figures { per_second, p50, p99, cpu, failures } = figures;
    println!("{name:<34}{per_second:>10.0}{p50:>10.2}{p99:>10.2}{cpu:>10.1}{ratio:>10}");
    if let Some(first) = failures {
        println!("  failed: {first}");
    }
}
