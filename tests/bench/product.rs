//! The program as an operator runs it: `till serve`, `till token create` and `till ledger verify` on the books of this run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use till::error::Fault;

use super::Outcome;
use super::process::Process;

/// `till serve`, ready.
pub struct Product {
    process: Process,
    address: SocketAddr,
    token: String,
    database: String,
}

/// What `till ledger verify` said of books that hold.
pub struct Proof {
    /// As it was printed.
    pub line: String,
    /// How many entries the books have.
    pub entries: u64,
}

impl Product {
    /// Starts it on the books of this database and waits until it says that it is ready.
    pub fn start(database: &str) -> Outcome<Product> {
        let token = make_token(database)?;
        let mut command = till(database);
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process(command.spawn().map_err(|cause| Fault::new("cannot start till serve", cause))?);
        let log = process.0.stderr.take().ok_or_else(|| Fault::bare("till serve has no log"))?;
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let mut said = String::new();
        let ready = lines.by_ref().find_map(|line| {
            let parsed = serde_json::from_str::<Value>(&line).ok();
            said.push_str(&line);
            said.push('\n');
            parsed.filter(|line| line["event"] == "ready")
        });
        let address = ready.as_ref().and_then(|ready| ready["listen"].as_str()?.parse().ok());
        let address = address.ok_or_else(|| Fault::bare(format!("till serve did not become ready:\n{said}")))?;
        // What it complains of later is shown; the rest is read, so that it never has to wait.
        let complaints = lines.filter(|line| !line.contains(r#""level":"INFO""#));
        std::thread::spawn(move || complaints.for_each(|line| eprintln!("till serve: {line}")));
        Ok(Product { process, address, token, database: database.to_owned() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A token that may read and spend.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes an operator, and a link that signs them in.
    pub fn operator_link(&self) -> Outcome<String> {
        let database = &self.database;
        run(database, &["user", "add", "bench_operator"])?;
        run(database, &["user", "admin", "bench_operator"])?;
        let link = run(database, &["user", "sign-in", "bench_operator", "--json"])?;
        let link: Value =
            serde_json::from_str(&link).map_err(|cause| Fault::new("cannot read a sign-in link", cause))?;
        let path = link["url"].as_str().and_then(|url| Some(&url[url.find("/login")?..]));
        // Its base URL is another, because the port was not known.
        path.map(|path| format!("{}{path}", self.url())).ok_or_else(|| Fault::bare("a sign-in link without an address"))
    }

    /// Ends it.
    pub fn stop(self) -> Outcome<()> {
        let status = self.process.stop()?;
        if status.success() { Ok(()) } else { Err(Fault::bare(format!("till serve ended with {status}"))) }
    }

    /// Ends it and proves the books.
    pub fn stop_and_verify(self) -> Outcome<Proof> {
        let database = self.database.clone();
        self.stop()?;
        let line = run(&database, &["ledger", "verify"])?.trim().to_owned();
        let entries = line.rsplit_once("entries ").map(|(_, count)| count.trim_end_matches('.'));
        let entries = entries.and_then(|count| count.parse().ok());
        Ok(Proof { entries: entries.ok_or_else(|| Fault::bare(format!("cannot read a proof: {line}")))?, line })
    }
}

fn make_token(database: &str) -> Outcome<String> {
    let made = run(database, &["token", "create", "bench", "--scopes", "read,spend", "--json"])?;
    let made: Value = serde_json::from_str(&made).map_err(|cause| Fault::new("cannot read a new token", cause))?;
    made["token"].as_str().map(str::to_owned).ok_or_else(|| Fault::bare("a new token has no secret"))
}

/// Runs `till ARGUMENTS` to its end; what it printed. It must succeed.
fn run(database: &str, arguments: &[&str]) -> Outcome<String> {
    let name = format!("till {}", arguments.join(" "));
    let ran = till(database).args(arguments).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = ran.map_err(|cause| Fault::new(format!("cannot run {name}"), cause))?;
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if status.success() { Ok(stdout) } else { Err(Fault::bare(format!("{name}: {status}\n{stdout}{stderr}"))) }
}

/// `till` with the variables of this run and no others. There is no Stripe, and nothing that is measured asks for it.
fn till(database: &str) -> Command {
    let variables = BTreeMap::from([
        ("SPRITE_LISTEN", "127.0.0.1:0"),
        ("SPRITE_DATABASE", database),
        ("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:9"),
        ("SPRITE_STRIPE_SECRET_KEY", "sk_test_bench"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_bench"),
        ("SPRITE_RECONCILE_INTERVAL", "off"),
        ("SPRITE_LOG_FORMAT", "json"),
        ("SPRITE_STRIPE_TOPUP_100_PRICE_ID", "price_topup_100"),
        ("SPRITE_STRIPE_TOPUP_250_PRICE_ID", "price_topup_250"),
        ("SPRITE_STRIPE_STARTER_PRICE_ID", "price_starter"),
        ("SPRITE_STRIPE_PRO_PRICE_ID", "price_pro"),
    ]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_till"));
    command.env_clear().envs(variables);
    command
}
