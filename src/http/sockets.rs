//! The sockets that are served: addresses of the network, and paths of this machine that systemd hands over for a reverse
//! proxy. Above here both are one kind of connection.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::request::Peer;

/// A socket that listens.
pub enum Listener {
    Network(std::net::TcpListener),
    /// A Unix socket, which its mode and its folder keep to some users of this machine.
    Local(UnixListener),
}

impl Listener {
    /// Its address; `None` for a Unix socket.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Listener::Network(listener) => listener.local_addr().map(Some),
            Listener::Local(_) => Ok(None),
        }
    }

    /// The same for the runtime in which this is called.
    pub(super) fn into_async(self) -> io::Result<AsyncListener> {
        match self {
            Listener::Network(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener).map(AsyncListener::Network)
            }
            Listener::Local(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(listener).map(AsyncListener::Local)
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Network(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("an unknown address"),
            },
            Listener::Local(listener) => {
                let address = listener.local_addr().ok();
                match address.as_ref().and_then(|address| address.as_pathname()) {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("a Unix socket without a path"),
                }
            }
        }
    }
}

/// A listener of the runtime.
pub(super) enum AsyncListener {
    Network(tokio::net::TcpListener),
    Local(tokio::net::UnixListener),
}

impl AsyncListener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match self {
            AsyncListener::Network(listener) => {
                let accepted = listener.poll_accept(context);
                accepted.map_ok(|(stream, peer)| (Stream::Network(stream), Peer::Network(peer.ip())))
            }
            AsyncListener::Local(listener) => {
                listener.poll_accept(context).map_ok(|(stream, _)| (Stream::Local(stream), Peer::Local))
            }
        }
    }
}

/// The next connection of any of these. `turn` says which of them is looked at first, so that a busy one does not keep
/// another waiting.
pub(super) async fn accept(listeners: &[AsyncListener], turn: &mut usize) -> io::Result<(Stream, Peer)> {
    *turn = turn.wrapping_add(1);
    let first = *turn % listeners.len().max(1);
    std::future::poll_fn(|context| {
        let (before, after) = listeners.split_at(first.min(listeners.len()));
        let ready = after.iter().chain(before).map(|listener| listener.poll_accept(context)).find(Poll::is_ready);
        ready.unwrap_or(Poll::Pending)
    })
    .await
}

/// A connection.
pub(super) enum Stream {
    Network(tokio::net::TcpStream),
    Local(tokio::net::UnixStream),
}

impl Stream {
    /// Sends each write at once, where the network would wait for more of them.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Stream::Network(stream) => stream.set_nodelay(true),
            Stream::Local(_) => Ok(()),
        }
    }

    /// Writes what can be written without waiting.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Network(stream) => stream.try_write(bytes),
            Stream::Local(stream) => stream.try_write(bytes),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Network(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Local(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Network(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Local(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Network(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Stream::Local(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Network(stream) => stream.is_write_vectored(),
            Stream::Local(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Network(stream) => Pin::new(stream).poll_flush(context),
            Stream::Local(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Network(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Local(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
