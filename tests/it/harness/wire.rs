//! One request as bytes, on a connection of its own: for stories about what a client would tidy up, decode or refuse.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::wait::PATIENCE;

/// What came back, as it was on the wire.
pub struct Exchange {
    /// 200 and so on.
    pub status: u16,
    /// Status line and headers, their names in lower case.
    pub head: String,
    /// As it was sent: compressed, in chunks.
    pub body: Vec<u8>,
}

impl Exchange {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let named = |line: &'_ str| line.split_once(": ").is_some_and(|(found, _)| found == name);
        self.head.lines().find(|line| named(line)).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }

    /// Bytes that travelled.
    pub fn size(&self) -> usize {
        self.head.len() + 2 + self.body.len()
    }
}

/// Sends `first`, such as `GET /`, with these header lines, and reads to the end.
pub fn ask(origin: &str, first: &str, headers: &[&str]) -> Exchange {
    let own = ["Host: till", "Connection: close"];
    let lines: String = own.iter().chain(headers).map(|line| format!("{line}\r\n")).collect();
    let answer = send(origin, format!("{first} HTTP/1.1\r\n{lines}\r\n").as_bytes());
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer with headers");
    let lower = |line: &str| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\r\n", name.to_lowercase()),
        None => format!("{line}\r\n"),
    };
    let head: String = std::str::from_utf8(&answer[..end]).unwrap().lines().map(lower).collect();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Exchange { status, head, body: answer[end + 4..].to_vec() }
}

/// Sends these bytes and reads all that comes back until the other side closes.
pub fn send(origin: &str, bytes: &[u8]) -> Vec<u8> {
    exchange(origin, bytes, false)
}

/// The same, and says that nothing more will come.
pub fn send_and_end(origin: &str, bytes: &[u8]) -> Vec<u8> {
    exchange(origin, bytes, true)
}

fn exchange(origin: &str, bytes: &[u8], is_all: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(origin.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The other side may close before it has read all; what it answered is what counts.
    let _cut_off = stream.write_all(bytes);
    if is_all {
        let _closed_already = stream.shutdown(Shutdown::Write);
    }
    let (mut answer, mut part) = (Vec::new(), [0; 8192]);
    while let Ok(length @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..length]);
    }
    answer
}
