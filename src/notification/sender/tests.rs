//! The sender against receivers that misbehave: none holds it for longer or makes it read more than it may.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::clock::Deadline;

const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A receiver that reads a request's head and then does this.
fn receiver(answer: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _read = stream.read(&mut [0; 4096]);
            answer(stream);
        }
    });
    format!("localhost:{port}/")
}

fn says(text: &'static str) -> String {
    receiver(move |mut stream| drop(stream.write_all(text.as_bytes())))
}

fn send(sender: &Sender, url: &str) -> Reply {
    let secrets = [signature::new_secret().unwrap()];
    sender.send(&Notification { url, id: "msg_1", body: "{}", secrets: &secrets, at: AT }).unwrap()
}

fn loopback() -> Networks {
    Networks::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()])
}

#[test]
fn an_answer_is_what_the_receiver_says_and_no_redirect_is_followed() {
    let sender = Sender::new(loopback());
    let elsewhere = "HTTP/1.1 307 Temporary\r\nlocation: http://localhost:1/\r\ncontent-length: 0\r\n\r\n";
    let dated = "HTTP/1.1 429 Later\r\nretry-after: Mon, 21 Sep 2026 14:14:20 GMT\r\ncontent-length: 0\r\n\r\n";
    for (text, status, detail, retry_after, delivered) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", None, true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "", None, true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbreaks", 200, "", None, true),
        (elsewhere, 307, "", None, false),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 3\r\n\r\nbye", 410, "bye", None, false),
        (dated, 429, "", Some(60), false),
        (
            "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 8\r\n\r\na\x1b[2J\r\nb",
            503,
            "a [2J b",
            Some(7),
            false,
        ),
    ] {
        let answer = send(&sender, &format!("http://{}", says(text)));
        assert_eq!(answer, Reply { status: Some(status), detail: detail.to_owned(), retry_after }, "{text}");
        assert_eq!((answer.is_delivered(), answer.is_gone()), (delivered, status == 410), "{text}");
    }
    let broken = send(&sender, &format!("http://{}", says("nonsense\r\n\r\n")));
    assert!(broken.status.is_none() && !broken.detail.is_empty() && !broken.is_delivered(), "{broken:?}");
}

#[test]
fn what_a_name_resolves_to_decides() {
    let url = says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for (networks, scheme, expected) in [
        (Networks::default(), "http", "no public address"),
        (Networks::default(), "https", "no public address"),
        (Networks::new(vec!["10.0.0.0/8".parse().unwrap()]), "http", "no public address"),
    ] {
        let answer = send(&Sender::new(networks), &format!("{scheme}://{url}"));
        assert!(answer.status.is_none() && answer.detail.contains(expected), "{answer:?}");
    }
    assert!(send(&Sender::new(loopback()), &format!("http://{url}")).is_delivered());
}

#[test]
fn slow_and_endless_answers_are_bounded() {
    let patience = Duration::from_millis(400);
    let sender = Sender::with_timeout(loopback(), patience);
    let long = Deadline::after(Duration::from_secs(60));
    let silent = receiver(|stream| {
        thread::spawn(move || {
            let _nothing = stream;
            thread::park();
        });
    });
    let answer = send(&sender, &format!("http://{silent}"));
    assert!(answer.status.is_none() && answer.detail.contains("timeout"), "{answer:?}");

    let endless = receiver(|mut stream| {
        let _written = stream.write_all(b"HTTP/1.1 500 No\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let answer = send(&Sender::new(loopback()), &format!("http://{endless}"));
    assert_eq!((answer.status, answer.detail.len()), (Some(500), DETAIL_LIMIT), "{answer:?}");

    let drop_by_drop = receiver(|mut stream| {
        let _written = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(send(&sender, &format!("http://{drop_by_drop}")).is_delivered());
    assert!(!long.left().is_zero(), "none of them held the sender");
}
