//! A mail server that is not ours (aiosmtpd, see `tests/python/smtp_server.py`), and two that misbehave below SMTP.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::folder::Folder;
use super::python::python;
use super::wait::eventually;

const LIBRARIES: [&str; 2] = ["aiosmtpd==1.4.6", "trustme==1.2.1"];

/// How a server encrypts, as `tests/python/smtp_server.py` names it.
pub const PLAIN: &str = "absent";
pub const STARTTLS: &str = "starttls";
pub const TLS: &str = "implicit";

/// A running server. It ends when dropped.
pub struct MailServer {
    child: Child,
    pub port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
    folder: Folder,
}

impl MailServer {
    /// Starts one; nothing where Python's libraries cannot be fetched. With credentials it takes letters from nobody else.
    pub fn start(tls: &str, credentials: Option<[&str; 2]>) -> Option<MailServer> {
        MailServer::start_on(0, tls, credentials)
    }

    /// The same, on this port.
    pub fn start_on(port: u16, tls: &str, credentials: Option<[&str; 2]>) -> Option<MailServer> {
        let python = python("mail", &LIBRARIES, "letters to a mail server")?;
        let folder = Folder::new();
        let options = json!({"port": port, "tls": tls, "credentials": credentials, "authority": folder.path("ca.pem")});
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/smtp_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(options.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first: Value = serde_json::from_str(&lines.next().expect("the mail server must start")).unwrap();
        let mails = Arc::<Mutex<Vec<Value>>>::default();
        let shared = Arc::clone(&mails);
        thread::spawn(move || {
            for line in lines {
                shared.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        Some(MailServer { child, port, mails, folder })
    }

    /// Where a shop hands its letters over, if the server was started without encryption and credentials.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Waits for the newest link with this in it, in a letter to this address.
    pub fn wait_for_link(&self, address: &str, part: &str) -> String {
        eventually(&format!("a letter to {address} with {part}"), || {
            let mails = self.mails();
            let texts =
                mails.iter().rev().filter(|mail| mail["to"][0] == address).filter_map(|mail| mail["text"].as_str());
            let mut words = texts.flat_map(str::split_whitespace);
            words.find(|word| word.starts_with("http") && word.contains(part)).map(str::to_owned)
        })
    }

    /// The authority that signed its certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.path("ca.pem")
    }

    /// The letters so far.
    pub fn mails(&self) -> Vec<Value> {
        self.mails.lock().unwrap().clone()
    }

    /// Waits until there are as many, and returns all.
    pub fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} letters"), || Some(self.mails()).filter(|mails| mails.len() >= count))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _no_status = self.child.wait();
    }
}

/// A header of a letter, decoded; empty if it has none of this name.
pub fn header(mail: &Value, name: &str) -> String {
    let headers = mail["headers"].as_array().unwrap();
    let found = headers.iter().find(|row| row[0].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name)));
    found.and_then(|row| row[1].as_str()).unwrap_or_default().to_owned()
}

/// A port at which somebody accepts and says nothing, with how many came.
pub fn silent_server() -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<Mutex<usize>>::default();
    let shared = Arc::clone(&count);
    thread::spawn(move || {
        let mut kept = vec![];
        for stream in listener.incoming().map_while(Result::ok) {
            kept.push(stream);
            *shared.lock().unwrap() += 1;
        }
    });
    (port, count)
}
