//! Somebody who answers in Stripe's place, always the same: for what the stand-in does not do, and Stripe does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A beginning of paths, and what is answered there: status line with further headers, and body.
pub type Answer = (&'static str, &'static str, String);

/// Starts one; its origin. What begins with none of the paths is answered with 404.
pub fn start(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who asked may be gone.
            answer(stream, &answers).ok();
        }
    });
    url
}

fn answer(mut stream: TcpStream, answers: &[Answer]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let found = answers.iter().find(|(beginning, ..)| path.starts_with(beginning));
    let (head, body) = found.map_or(("404 Not Found", "{}"), |(_, head, body)| (*head, body.as_str()));
    let length = body.len();
    write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}
