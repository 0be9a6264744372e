//! The driver, as the store uses it: each call waits for its answer, and not for ever.
//!
//! The machine of a server acknowledges what is sent to it as long as its kernel runs. So where the server itself stands still (a
//! process that was stopped, a disk that does not answer) neither the driver nor the network's time-outs ever end a call.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Config, Error};

use super::tls::{Connection, Tls};
use crate::clock::Deadline;

/// How long a server may take to greet, after the time to reach it.
const GREETING: Duration = Duration::from_secs(5);
/// How often a server that has not answered is asked whether it lives.
const DOUBT: Duration = Duration::from_secs(5);

/// Why a call brought nothing.
#[derive(Debug)]
pub(super) enum Cause {
    Driver(Error),
    /// Nothing came back in time.
    Silence,
    /// The operating system gives no more of something.
    System(std::io::Error),
}

impl From<Error> for Cause {
    fn from(error: Error) -> Cause {
        Cause::Driver(error)
    }
}

/// The servers of a connection string.
#[derive(Clone)]
pub(super) struct Servers {
    /// One for each of them, in their order: the driver would not go on to the next if one is silent.
    configs: Arc<[Config]>,
    tls: Tls,
    /// Which of them took the last connection.
    last: Arc<AtomicUsize>,
}

/// A connection. A call that was given up leaves it unusable.
pub(super) struct Client {
    driver: tokio_postgres::Client,
    connection: Connection,
    /// `None` while it is dropped.
    runtime: Option<Runtime>,
    servers: Servers,
    /// Which of them it leads to.
    number: usize,
    /// How long a call may take.
    limit: Duration,
    is_given_up: bool,
}

impl Servers {
    pub(super) fn new(config: &Config, tls: Tls) -> Servers {
        Servers { configs: each_host(config).into(), tls, last: Arc::default() }
    }

    /// Connects to the first that takes it, beginning with the one that did so last. `limit`: how long each of its calls may take.
    pub(super) fn connect(&self, limit: Duration) -> Result<Client, Cause> {
        let last = self.last.load(Ordering::Relaxed);
        let mut cause = Cause::Silence;
        for turn in 0..self.configs.len() {
            let number = (last + turn) % self.configs.len();
            match Client::connect(self, number, limit) {
                Ok(client) => {
                    self.last.store(number, Ordering::Relaxed);
                    return Ok(client);
                }
                Err(found) => cause = found,
            }
        }
        Err(cause)
    }

    /// The server of this number says hello. Reaching it has a time of its own before that.
    async fn greet(&self, number: usize) -> Result<(tokio_postgres::Client, Connection), Cause> {
        let Some(config) = self.configs.get(number) else { return Err(Cause::Silence) };
        let patience = config.get_connect_timeout().copied().unwrap_or_default() + GREETING;
        match timeout(patience, self.tls.connect(config)).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(Cause::Silence),
        }
    }

    /// Whether it answers a new connection, with whatever it says.
    async fn is_alive(&self, number: usize) -> bool {
        match timeout(GREETING, self.greet(number)).await {
            Ok(Ok(_)) => true,
            Ok(Err(Cause::Driver(error))) => error.code().is_some(),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// The next is tried first from now on, if there is one.
    fn pass_by(&self, number: usize) {
        let next = (number + 1) % self.configs.len().max(1);
        let _another_was_found = self.last.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Client {
    fn connect(servers: &Servers, number: usize, limit: Duration) -> Result<Client, Cause> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Cause::System)?;
        match runtime.block_on(servers.greet(number)) {
            Ok((driver, connection)) => {
                let (runtime, servers) = (Some(runtime), servers.clone());
                Ok(Client { driver, connection, runtime, servers, number, limit, is_given_up: false })
            }
            Err(cause) => {
                runtime.shutdown_background();
                Err(cause)
            }
        }
    }

    /// Allows each call as much time as this; what it was before.
    pub(super) fn allow(&mut self, limit: Duration) -> Duration {
        std::mem::replace(&mut self.limit, limit)
    }

    /// Waits for a call. `call` makes it of the driver's own connection.
    pub(super) fn wait<'a, T, F>(
        &'a mut self,
        call: impl FnOnce(&'a mut tokio_postgres::Client) -> F,
    ) -> Result<T, Cause>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if self.is_closed() {
            return Err(Cause::Silence);
        }
        let Client { driver, connection, runtime, servers, number, limit, is_given_up } = self;
        let Some(runtime) = runtime else { return Err(Cause::Silence) };
        let mut call = pin!(call(driver));
        let mut moved = pin!(std::future::poll_fn(|context| {
            match move_on(connection, context) {
                Some(end) => Poll::Ready(Err(end)),
                None => call.as_mut().poll(context),
            }
        }));
        let deadline = Deadline::after(*limit);
        runtime.block_on(async {
            loop {
                if let Ok(done) = timeout(DOUBT.min(deadline.left()), &mut moved).await {
                    return done.map_err(Cause::Driver);
                }
                if deadline.left().is_zero() || !servers.is_alive(*number).await {
                    *is_given_up = true;
                    servers.pass_by(*number);
                    return Err(Cause::Silence);
                }
            }
        })
    }

    /// Whether it is of no use any more. One to a server that others have left is not either: where that server only stood still, and
    /// another has taken its place meanwhile, it may go on with what is no longer true.
    pub(super) fn is_closed(&self) -> bool {
        self.is_given_up || self.driver.is_closed() || self.servers.last.load(Ordering::Relaxed) != self.number
    }
}

impl Drop for Client {
    /// Waits for nothing, also not for the look-up of a name.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Moves what is to be sent and what has come. `Some`: the connection failed.
fn move_on(connection: &mut Connection, context: &mut Context<'_>) -> Option<Error> {
    loop {
        match connection(context) {
            Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                tracing::warn!(event = "database_warning", words = notice.message(), code = notice.code().code());
            }
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => return Some(error),
            // The driver fails the call that waits.
            Poll::Ready(None) | Poll::Pending => return None,
        }
    }
}

/// A configuration for each host of one.
fn each_host(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    (0..hosts.len().max(addresses.len()))
        .map(|number| {
            let mut single = without_hosts(config);
            match hosts.get(number) {
                Some(Host::Tcp(name)) => single.host(name),
                Some(Host::Unix(path)) => single.host_path(path),
                None => &mut single,
            };
            if let Some(address) = addresses.get(number) {
                single.hostaddr(*address);
            }
            if let Some(port) = ports.get(number).or(ports.first()) {
                single.port(*port);
            }
            single
        })
        .collect()
}

fn without_hosts(config: &Config) -> Config {
    let mut bare = Config::new();
    if let Some(user) = config.get_user() {
        bare.user(user);
    }
    if let Some(password) = config.get_password() {
        bare.password(password);
    }
    if let Some(database) = config.get_dbname() {
        bare.dbname(database);
    }
    if let Some(options) = config.get_options() {
        bare.options(options);
    }
    if let Some(name) = config.get_application_name() {
        bare.application_name(name);
    }
    if let Some(patience) = config.get_connect_timeout() {
        bare.connect_timeout(*patience);
    }
    if let Some(patience) = config.get_tcp_user_timeout() {
        bare.tcp_user_timeout(*patience);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        bare.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        bare.keepalives_retries(retries);
    }
    bare.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_of_a_connection_string_is_called_with_all_that_the_string_says() {
        let url =
            "postgres://till:secret@one:5433,two:5434/books?connect_timeout=7&keepalives_idle=9&options=-cjit%3Doff";
        let config: Config = url.parse().unwrap();
        let singles = each_host(&config);
        let places: Vec<_> =
            singles.iter().map(|single| (single.get_hosts().to_vec(), single.get_ports().to_vec())).collect();
        let host = |name: &str| vec![Host::Tcp(name.to_owned())];
        assert_eq!(places, [(host("one"), vec![5433]), (host("two"), vec![5434])]);
        // What is left without hosts says the same.
        let words = |config: &Config| format!("{:?}", without_hosts(config));
        for single in &singles {
            assert_eq!(words(single), words(&config));
            assert_eq!((single.get_user(), single.get_dbname()), (Some("till"), Some("books")));
            assert_eq!((single.get_password(), single.get_options()), (Some(&b"secret"[..]), Some("-cjit=off")));
            assert_eq!(single.get_connect_timeout(), Some(&Duration::from_secs(7)));
            assert_eq!(single.get_keepalives_idle(), Duration::from_secs(9));
        }
        let one_port: Config = "postgres://till@one,two:5434/books".parse().unwrap();
        assert_eq!(
            each_host(&one_port).iter().map(|single| single.get_ports().to_vec()).collect::<Vec<_>>(),
            [[5432], [5434]]
        );
    }
}
