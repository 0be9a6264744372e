//! Ports for programs that are told where to listen, and do so some seconds later.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The system gives ports from 32,768 on to whoever wants any port, to each connection that goes out too. Those below stay free
/// until somebody asks for their number.
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
