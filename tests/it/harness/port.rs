//! Ports for programs that are told where to listen, and do so some seconds later.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The system picks ports from 32,768 on for programs that ask for any port, and for outgoing connections. It picks none of these.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens at, and that is given once.
pub fn free_port() -> u16 {
    loop {
        // Another run of the tests on this machine begins elsewhere.
        let number = std::process::id().wrapping_mul(61).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed).into());
        let port = (FIRST + number % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
