//! An answer's body: no more bytes and no more time than the limits allow.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};
use wasmtime_wasi_http::Error;

use super::notice::Notices;

/// What bounds one answer.
#[derive(Clone, Copy)]
pub(super) struct AnswerBounds {
    /// How long the whole request may take, for whom it is told that it took longer.
    pub(super) millis: u64,
    /// Most bytes.
    pub(super) bytes: u64,
    /// Longest time from frame to frame.
    pub(super) between: Duration,
    /// When it must be over.
    pub(super) deadline: Instant,
}

/// The body of one answer. While it is there, its request counts as under way.
pub(super) struct AnswerBody {
    incoming: Incoming,
    bounds: AnswerBounds,
    left: u64,
    timer: Pin<Box<Sleep>>,
    notices: Arc<Notices>,
    _slot: OwnedSemaphorePermit,
}

impl AnswerBody {
    /// `incoming`, within `bounds`.
    pub(super) fn new(
        incoming: Incoming,
        bounds: AnswerBounds,
        slot: OwnedSemaphorePermit,
        notices: Arc<Notices>,
    ) -> Self {
        let first = bounds.deadline.min(Instant::now() + bounds.between);
        Self {
            incoming,
            bounds,
            left: bounds.bytes,
            timer: Box::pin(tokio::time::sleep_until(first)),
            notices,
            _slot: slot,
        }
    }

    fn too_large(&self) -> Error {
        let limit = self.bounds.bytes;
        let what = "an answer's body is too large";
        self.notices.over_limit(what, "outbound_body_bytes", limit)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(context));
                let AnswerBounds {
                    deadline, millis, ..
                } = self.bounds;
                let late = Error::ConnectionReadTimeout;
                Poll::Ready(Some(Err(self.notices.failed(late, deadline, millis))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Error::HttpResponseIncomplete))),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.left.checked_sub(bytes) else {
                    return Poll::Ready(Some(Err(self.too_large())));
                };
                self.left = left;
                let next = self
                    .bounds
                    .deadline
                    .min(Instant::now() + self.bounds.between);
                self.timer.as_mut().reset(next);
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
