//! A request's body: no more bytes than the limit allows.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::over_limit;

/// The body of one request.
pub(super) struct RequestBody {
    outgoing: WasiBody,
    sent: u64,
    limit: u64,
}

impl RequestBody {
    /// `outgoing`, up to `limit` bytes.
    pub(super) fn new(outgoing: WasiBody, limit: u64) -> Self {
        Self {
            outgoing,
            sent: 0,
            limit,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.outgoing).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.sent = self.sent.saturating_add(bytes);
            if self.sent > self.limit {
                let what = format!("a request's body has {} bytes or more", self.sent);
                let error = over_limit(&what, "outbound_request_body_bytes", self.limit);
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.outgoing.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.outgoing.size_hint()
    }
}
