//! A request's body: no more bytes than the limit allows.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::http::{Request, header::CONTENT_LENGTH};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::notice::Notices;

const NAME: &str = "outbound_request_body_bytes";

/// `request` with a body of `limit` bytes at most. What says of itself that it has more is refused before anything is
/// sent; what is found to have more, half-way.
///
/// # Errors
/// `outbound-limit-exceeded`.
pub(super) fn bounded(
    request: Request<WasiBody>,
    limit: u64,
    notices: &Arc<Notices>,
) -> Result<Request<WasiBody>, Error> {
    let says = request.headers().get(CONTENT_LENGTH);
    let says = says.and_then(|bytes| bytes.to_str().ok()?.parse::<u64>().ok());
    if let Some(bytes) = says.filter(|bytes| *bytes > limit) {
        let what = format!("a request's body has {bytes} bytes");
        return Err(notices.over_limit(&what, NAME, limit));
    }
    Ok(request.map(|outgoing| {
        let body = RequestBody {
            outgoing,
            sent: 0,
            limit,
            notices: notices.clone(),
        };
        body.boxed_unsync()
    }))
}

/// The body of one request.
struct RequestBody {
    outgoing: WasiBody,
    sent: u64,
    limit: u64,
    notices: Arc<Notices>,
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
                let error = self.notices.over_limit(&what, NAME, self.limit);
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
