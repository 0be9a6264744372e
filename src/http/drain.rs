//! Reads what a handler has left unread of a request's body, because it refused the request early, before the answer
//! goes out. A connection that is closed with unread bytes is reset, and a client that is still sending may then lose
//! the very answer that says why (RFC 9112, section 9.6). The bytes are thrown away; their number and the time are
//! bounded.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

use super::shares::{Exhaustion, Share};

/// In bytes: the largest body that any route takes, so that a proxy in front always reads why one was refused. The connection
/// of a client that goes on sending more than this is closed.
const LIMIT: usize = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(2);

/// A request's body. When it is dropped before its end, the rest goes to its [`Drain`].
pub(super) struct DrainableBody {
    body: Option<Incoming>,
    rest: Option<oneshot::Sender<Incoming>>,
    gathered: Option<BodyShare>,
}

/// The bytes of a request's body that have arrived. They are in memory until the request has its answer.
pub(super) type BodyShare = Arc<Mutex<Share>>;

/// Receives the unread rest of a [`DrainableBody`].
pub(super) struct Drain(Option<oneshot::Receiver<Incoming>>);

/// Splits a request's body into the part for the handler and the part that drains it afterwards. The bytes count as a share
/// that the caller holds until the request has its answer; there is none for a request without a body.
pub(super) fn drainable(
    headers: &HeaderMap,
    body: Incoming,
    share: impl FnOnce() -> Result<Share, Exhaustion>,
) -> (DrainableBody, Drain, Option<BodyShare>) {
    if body.is_end_stream() {
        return (DrainableBody { body: None, rest: None, gathered: None }, Drain(None), None);
    }
    // To take nothing is always possible.
    let gathered = share().ok().map(|share| Arc::new(Mutex::new(share)));
    let (sender, receiver) = oneshot::channel();
    // A client that waits for `100 Continue` sends no body without it.
    let is_sent = !headers.contains_key(header::EXPECT);
    let body = DrainableBody { body: Some(body), rest: Some(sender), gathered: gathered.clone() };
    (body, Drain(is_sent.then_some(receiver)), gathered)
}

impl Drain {
    /// Reads the unread rest, if there is any. Call it after the handler has dropped the body.
    pub(super) async fn run(self) {
        let Some(mut body) = self.0.and_then(|mut rest| rest.try_recv().ok()) else { return };
        let all = async {
            let mut length = 0;
            while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                length += frame.data_ref().map_or(0, Bytes::len);
                if length > LIMIT {
                    return;
                }
            }
        };
        let _too_slow = tokio::time::timeout(TIMEOUT, all).await;
    }
}

impl Body for DrainableBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        let length = frame.as_ref().and_then(|frame| Some(frame.as_ref().ok()?.data_ref()?.len())).unwrap_or(0);
        if let Some(gathered) = self.gathered.as_ref().filter(|_| length > 0) {
            gathered.lock().unwrap_or_else(PoisonError::into_inner).grow(length)?;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for DrainableBody {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), self.rest.take())
            && !body.is_end_stream()
        {
            // Without a receiver the body is dropped here, which closes the connection.
            let _not_drained = rest.send(body);
        }
    }
}
