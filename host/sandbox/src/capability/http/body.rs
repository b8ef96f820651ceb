//! An answer's body: no more bytes and no more time than the limits allow.

use std::{
    pin::Pin,
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

/// The body of one answer. While it is there, its request counts as under way.
pub(super) struct AnswerBody {
    incoming: Incoming,
    left: u64,
    limit: u64,
    between: Duration,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
}

impl AnswerBody {
    /// `incoming`, up to `limit` bytes, until `deadline`, with at most `between` from frame to frame.
    pub(super) fn new(
        incoming: Incoming,
        limit: u64,
        between: Duration,
        deadline: Instant,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let timer = tokio::time::sleep_until(deadline.min(Instant::now() + between));
        Self {
            incoming,
            left: limit,
            limit,
            between,
            deadline,
            timer: Box::pin(timer),
            _slot: slot,
        }
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
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Error::HttpResponseIncomplete))),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.left.checked_sub(bytes) else {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.limit)))));
                };
                self.left = left;
                let next = self.deadline.min(Instant::now() + self.between);
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
