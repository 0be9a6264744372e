//! How long a connection may take: for a request's headers, between two requests, and for a write that stands still. hyper
//! has one limit for the first two, and none for the last.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::shares::Shares;
use super::sockets::Stream;
use crate::clock::Deadline;

/// The limits of every connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long a client may take to send a request's headers, from their first byte; of the first request, from the
    /// beginning of the connection.
    pub headers: Duration,
    /// How long a connection may be idle between two requests. Longer than common proxies keep one (nginx: 60 s), so that it
    /// is the proxy that closes it, and no request meets a connection that is closing.
    pub idle: Duration,
    /// The same while connections are scarce. Also how often that is looked at.
    pub idle_when_scarce: Duration,
    /// How long a client may leave an answer unread.
    pub write: Duration,
}

impl Patience {
    pub(super) const USUAL: Patience = Patience {
        headers: Duration::from_secs(10),
        idle: Duration::from_secs(90),
        idle_when_scarce: Duration::from_secs(5),
        write: Duration::from_secs(30),
    };
}

const HEADERS: u8 = 0;
const REQUEST: u8 = 1;
const IDLE: u8 = 2;

/// What a connection is about, as both its bytes and its requests know it.
#[derive(Clone, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// The headers of a request have arrived.
    pub(super) fn request_begins(&self) {
        self.0.store(REQUEST, Ordering::Release);
    }

    fn now(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

/// An answer's body. When it has been handed over, or is given up, the connection is idle, and `held` is dropped.
pub(super) struct AnswerBody<H> {
    body: axum::body::Body,
    phase: Phase,
    _held: H,
}

impl<H> AnswerBody<H> {
    pub(super) fn new(body: axum::body::Body, phase: Phase, held: H) -> AnswerBody<H> {
        AnswerBody { body, phase, _held: held }
    }
}

impl<H: Unpin> Body for AnswerBody<H> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<H> Drop for AnswerBody<H> {
    fn drop(&mut self) {
        self.phase.0.store(IDLE, Ordering::Release);
    }
}

/// A client's connection, which ends with `TimedOut` when a limit has passed.
pub(super) struct PatientStream {
    stream: Stream,
    patience: Patience,
    connections: Arc<Shares>,
    phase: Phase,
    /// The phase when this was last polled, and since when.
    seen: (u8, Deadline),
    read_timer: Option<Pin<Box<Sleep>>>,
    /// Since when a write stands still.
    stalled: Option<Deadline>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl PatientStream {
    pub(super) fn new(stream: Stream, patience: Patience, connections: Arc<Shares>, phase: Phase) -> PatientStream {
        let seen = (HEADERS, Deadline::after(Duration::ZERO));
        PatientStream { stream, patience, connections, phase, seen, read_timer: None, stalled: None, write_timer: None }
    }

    fn look(&mut self) -> u8 {
        let phase = self.phase.now();
        if phase != self.seen.0 {
            self.seen = (phase, Deadline::after(Duration::ZERO));
        }
        phase
    }

    /// Nothing came. Ready with an error once the client has had its time.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let limit = match self.look() {
                HEADERS => Some(self.patience.headers),
                IDLE if self.connections.is_scarce() => Some(self.patience.idle_when_scarce),
                IDLE => Some(self.patience.idle),
                // A request's body has its own limit, where it is read.
                _ => None,
            };
            let silent = self.seen.1.elapsed();
            let left = limit.map(|limit| limit.saturating_sub(silent));
            if left.is_some_and(|left| left.is_zero()) {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            // It is looked at again even while a request is answered: hyper, which waits for the client's next byte already,
            // does not ask once more when the connection becomes idle. A timer that was set for an earlier request goes off
            // too early at worst, and is set again.
            let again = self.patience.idle_when_scarce;
            let wait = left.map_or(again, |left| left.min(again));
            if poll_timer(&mut self.read_timer, wait, context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stalled = *self.stalled.get_or_insert_with(|| Deadline::after(Duration::ZERO));
        loop {
            let still = stalled.elapsed();
            if still >= self.patience.write {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            if poll_timer(&mut self.write_timer, self.patience.write - still, context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.poll_stall(context),
            ready => {
                self.stalled = None;
                ready
            }
        }
    }
}

/// Ready when the timer has gone off, which ends it. Sets one for `wait` if there is none.
fn poll_timer(timer: &mut Option<Pin<Box<Sleep>>>, wait: Duration, context: &mut Context<'_>) -> Poll<()> {
    let running = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
    let gone_off = running.as_mut().poll(context);
    if gone_off.is_ready() {
        *timer = None;
    }
    gone_off
}

impl AsyncRead for PatientStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_pending() {
            return self.poll_silence(context);
        }
        if into.filled().len() > before && self.look() == IDLE {
            // If the headers are complete already, the request begins in the same moment.
            self.phase.0.store(HEADERS, Ordering::Release);
            self.look();
        }
        read
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.wrote(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
