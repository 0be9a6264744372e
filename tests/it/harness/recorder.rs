//! Somebody between the appliance and Stripe who writes down what is asked, and who can keep an answer back.
//! One request a connection; it changes nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::wait::PATIENCE;

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The decoded body of a `POST`, the decoded query of a `GET`.
    pub form: Vec<(String, String)>,
    /// The head, in lower case.
    pub head: String,
}

impl Asked {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Notes {
    stripe: String,
    asked: Vec<Asked>,
    /// Paths whose answers are kept back, and how many answers are.
    withheld: Option<String>,
    waiting: usize,
}

/// The one between.
pub struct Recorder {
    /// Its origin: what the appliance takes for Stripe.
    pub url: String,
    notes: Arc<(Mutex<Notes>, Condvar)>,
}

impl Recorder {
    /// Starts one that leads nowhere yet.
    pub fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let notes = Arc::<(Mutex<Notes>, Condvar)>::default();
        let shared = Arc::clone(&notes);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let notes = Arc::clone(&shared);
                // Either end may break off: the other learns of it by the connection.
                thread::spawn(move || pass_on(stream, &notes).ok());
            }
        });
        Recorder { url, notes }
    }

    /// Leads to this origin from now on.
    pub fn lead_to(&self, stripe: &str) {
        stripe.trim_start_matches("http://").clone_into(&mut self.notes.0.lock().unwrap().stripe);
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.notes.0.lock().unwrap().asked.clone()
    }

    /// Keeps back answers to `POST`s of this path from now on: Stripe has done the work, and nobody hears of it.
    pub fn withhold(&self, path: &str) {
        self.notes.0.lock().unwrap().withheld = Some(path.to_owned());
    }

    /// Waits until an answer is kept back.
    pub fn wait_for_answer(&self) {
        let notes = self.notes.0.lock().unwrap();
        let (notes, _) = self.notes.1.wait_timeout_while(notes, PATIENCE, |notes| notes.waiting == 0).unwrap();
        assert!(notes.waiting > 0, "no answer was kept back");
    }

    /// Hands over what was kept back.
    pub fn release(&self) {
        self.notes.0.lock().unwrap().withheld = None;
        self.notes.1.notify_all();
    }
}

fn pass_on(mut from: TcpStream, notes: &(Mutex<Notes>, Condvar)) -> std::io::Result<()> {
    let mut reader = BufReader::new(from.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = read(&first, &head, &body);
    let stripe = {
        let mut notes = notes.0.lock().unwrap();
        notes.asked.push(asked.clone());
        notes.stripe.clone()
    };
    let mut to = TcpStream::connect(stripe)?;
    to.write_all(format!("{first}{head}connection: close\r\n\r\n").as_bytes())?;
    to.write_all(&body)?;
    let mut answer = vec![];
    to.read_to_end(&mut answer)?;
    keep_back(&asked, notes);
    from.write_all(&answer)
}

fn keep_back(asked: &Asked, notes: &(Mutex<Notes>, Condvar)) {
    let is_withheld = |notes: &mut Notes| asked.method == "POST" && notes.withheld.as_ref() == Some(&asked.path);
    let mut kept = notes.0.lock().unwrap();
    if is_withheld(&mut kept) {
        kept.waiting += 1;
        notes.1.notify_all();
        let (mut kept, _) = notes.1.wait_timeout_while(kept, PATIENCE, is_withheld).unwrap();
        kept.waiting -= 1;
    }
}

fn read(first: &str, head: &str, body: &[u8]) -> Asked {
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let form = if method == "GET" { query.as_bytes() } else { body };
    let form = form_urlencoded::parse(form).into_owned().collect();
    Asked { method, path: path.to_owned(), form, head: head.to_ascii_lowercase() }
}
