//! The release binary, started as an operator would start it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The appliance, running.
pub struct Product {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
}

fn till(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_till"));
    command.env_clear().env("SPRITE_DATABASE", database).env("SPRITE_LISTEN", "127.0.0.1:0");
    command.env("SPRITE_STRIPE_SECRET_KEY", "sk_test_bench").env("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_bench");
    command.env("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:9").env("SPRITE_RECONCILE_INTERVAL", "off");
    command.env("SPRITE_LOG_FORMAT", "json");
    command
}

pub fn start(database: &Path) -> Product {
    let made = till(database).args(["token", "create", "bench", "--scopes", "read,spend", "--json"]).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let mut child = till(database).arg("serve").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = log
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|line| line["event"] == "ready");
    let url = ready.unwrap()["url"].as_str().unwrap().to_owned();
    // What else it says is read, so that it never waits for a reader, and shown when it is a complaint.
    std::thread::spawn(move || {
        log.map_while(Result::ok).filter(|line| !line.contains("INFO")).take(20).for_each(|line| println!("{line}"))
    });
    let address = url.trim_start_matches("http://").parse().unwrap();
    Product { child, address, token: made["token"].as_str().unwrap().to_owned() }
}

/// What the proof of the books says.
pub fn verify(database: &Path) -> String {
    let proof = till(database).args(["ledger", "verify"]).output().unwrap();
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    String::from_utf8_lossy(&proof.stdout).trim().to_owned()
}

impl Product {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until its database is closed.
    pub fn stop(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.child.wait().unwrap().success());
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
