//! Somebody who takes outgoing webhooks: writes down what arrives, answers as a story wants, and checks signatures by the
//! specification's words and not by the code under test. One request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::wait::eventually;

/// A message as it arrived.
#[derive(Clone, Debug)]
pub struct Got {
    head: Vec<(String, String)>,
    /// As it was signed.
    pub body: String,
}

impl Got {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.head.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What it is, and whose.
    pub fn what(&self) -> (String, String) {
        let json = self.json();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (word(&json["type"]), word(&json["data"]["user_id"]))
    }

    /// Whether one of its signatures is by this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        mac.update(signed.as_bytes());
        let expected = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|one| one == expected)
    }
}

/// What is answered: a status with further lines of the head, or nothing at all.
type Answers = Box<dyn Fn(&Got) -> Option<(u16, &'static str)> + Send>;

struct Notes {
    got: Vec<Got>,
    answers: Answers,
}

/// The one who takes them.
pub struct Receiver {
    port: u16,
    notes: Arc<Mutex<Notes>>,
}

impl Receiver {
    /// Starts one that takes everything.
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let notes = Arc::new(Mutex::new(Notes { got: vec![], answers: Box::new(|_| Some((204, ""))) }));
        let shared = Arc::clone(&notes);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = Arc::clone(&shared);
                // The other end may break off: a story that minds looks at what arrived.
                thread::spawn(move || take(stream, &notes).ok());
            }
        });
        Receiver { port, notes }
    }

    /// Where it is, by address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Where it is, by name.
    pub fn url_by_name(&self) -> String {
        format!("http://localhost:{}/hook", self.port)
    }

    /// Answers so from now on; none is silence.
    pub fn answer(&self, answers: impl Fn(&Got) -> Option<(u16, &'static str)> + Send + 'static) {
        self.notes.lock().unwrap().answers = Box::new(answers);
    }

    /// All that arrived so far.
    pub fn got(&self) -> Vec<Got> {
        self.notes.lock().unwrap().got.clone()
    }

    /// Waits until so many have arrived.
    pub fn wait_for(&self, count: usize) -> Vec<Got> {
        eventually(&format!("{count} messages"), || Some(self.got()).filter(|got| got.len() >= count))
    }
}

fn take(mut stream: TcpStream, notes: &Mutex<Notes>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length, mut line) = (vec![], 0, String::new());
    reader.read_line(&mut line)?;
    line.clear();
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.trim_end().split_once(": ").unwrap();
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        head.push((name, value.to_owned()));
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let got = Got { head, body: String::from_utf8(body).unwrap() };
    let answer = {
        let mut notes = notes.lock().unwrap();
        let answer = (notes.answers)(&got);
        notes.got.push(got);
        answer
    };
    let Some((status, more)) = answer else {
        // Silence lasts until the other end has gone.
        let _gone = stream.read(&mut [0; 1]);
        return Ok(());
    };
    write!(stream, "HTTP/1.1 {status} -\r\n{more}connection: close\r\ncontent-length: 0\r\n\r\n")
}
