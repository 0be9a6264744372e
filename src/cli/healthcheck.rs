//! `till healthcheck`: asks the running appliance whether it is ready, for a container's health check or a script.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

use super::output::print;
use super::service::reachable;
use super::settings::{self, flags};
use super::{CommandError, CommandResult};
use crate::config::{LoadedConfig, Need, Sources, parse_listen};

/// For the connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 4096;

/// Ask the running till serve whether it is ready; exits with 1 if it is not
///
/// Asks GET /readyz at the listen address: the process answers, and the database takes writes.
#[derive(Args)]
#[command(after_help = "Example:\n  till healthcheck")]
pub(super) struct Healthcheck {
    /// The address to ask, instead of SPRITE_LISTEN (else 127.0.0.1:8080); with a socket of systemd, the socket's
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    listen: Option<SocketAddr>,
}

impl Healthcheck {
    pub(super) fn run(&self) -> CommandResult {
        let listen = self.listen.map(|address| address.to_string());
        let LoadedConfig { config, .. } =
            settings::load(&Sources::from_process(flags([("SPRITE_LISTEN", &listen)])), Need::Nothing)?;
        let address = reachable(config.listen);
        let answer = ask(address).map_err(|cause| {
            CommandError::Failed(format!("nothing answers at {address} ({cause}): is till serve running there?"))
        })?;
        let status = answer.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        match status {
            "200" => print("ready\n"),
            "503" => Err(CommandError::Failed(format!("till at {address} is not ready: its database takes no writes"))),
            _ => Err(CommandError::Failed(format!(
                "what answers at {address} is not a till that is ready: 200 was expected, and {status:?} came"
            ))),
        }
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
