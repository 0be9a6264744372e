//! What a handler leaves unread of a request's body, because it refused the request before: read to a bounded end before
//! the answer goes out. A connection that is closed over unread bytes is reset, and a client that is still sending may
//! lose the very answer that says why (RFC 9112, section 9.6). Nothing is kept of what is read here.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

/// A client that sends more than this beyond its answer is cut off.
const LIMIT: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// A body on loan to a handler; what is unread when it is dropped comes back.
pub(super) struct Lent {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Where the rest of a body comes back to.
pub(super) struct Leftover(Option<oneshot::Receiver<Incoming>>);

/// Lends a request's body out.
pub(super) fn lend(headers: &HeaderMap, body: Incoming) -> (Lent, Leftover) {
    if body.is_end_stream() {
        return (Lent { body: None, back: None }, Leftover(None));
    }
    let (back, rest) = oneshot::channel();
    // Whoever waits for `100 Continue` sends nothing when it does not come.
    let is_coming = !headers.contains_key(header::EXPECT);
    (Lent { body: Some(body), back: Some(back) }, Leftover(is_coming.then_some(rest)))
}

impl Leftover {
    /// Reads the rest, if there is one and it comes soon.
    pub(super) async fn read(self) {
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
        let _too_slow = tokio::time::timeout(PATIENCE, all).await;
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // When nobody waits for it, the connection is closed.
            let _nobody = back.send(body);
        }
    }
}
