//! A component on its way to the host, in pieces, with a bar on stderr that shows how far it is.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tenterhook_domain::Digest;

/// How long an upload and its checks may take.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Size of a piece, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// How often the bar moves while the host checks.
const TICK: Duration = Duration::from_millis(100);

/// A component as it is sent: alone, or in a form behind its signature.
pub(crate) struct Upload {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

impl Upload {
    /// Of `component` and the sigstore bundle of it.
    pub(crate) fn new(component: Bytes, signature: Option<&Value>) -> Self {
        let Some(signature) = signature else {
            return Self {
                media_type: "application/wasm".to_owned(),
                bytes: component,
            };
        };
        // Nothing holds a hash of itself, so this stands in neither part.
        let boundary = &Digest::of(&component).hex();
        let part = |name: &str, media_type: &str| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
            )
        };
        let before = format!(
            "{}{signature}\r\n{}",
            part("signature", "application/json"),
            part("component", "application/wasm")
        );
        let after = format!("\r\n--{boundary}--\r\n");
        let bytes = [before.as_bytes(), &component[..], after.as_bytes()];
        Self {
            media_type: format!("multipart/form-data; boundary={boundary}"),
            bytes: bytes.concat().into(),
        }
    }
}

/// The bar; nothing is drawn where stderr is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for what `name` says.
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes}/{binary_total_bytes}")
        {
            bar.set_style(style);
        }
        bar.set_message(format!("pushing {name}"));
        Self { bar }
    }

    /// `bytes` as a request's body that moves the bar. Once all is sent, the host checks and compiles: the bar says
    /// so.
    pub(crate) fn body(&self, bytes: Bytes) -> reqwest::Body {
        let bar = self.bar.clone();
        bar.set_length(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        reqwest::Body::wrap_stream(stream::unfold((bytes, bar), |(mut rest, bar)| async move {
            if rest.is_empty() {
                return None;
            }
            let piece = rest.split_to(rest.len().min(PIECE_BYTES));
            bar.inc(u64::try_from(piece.len()).unwrap_or(0));
            if rest.is_empty() {
                checking(&bar);
            }
            Some((Ok::<_, Infallible>(piece), (rest, bar)))
        }))
    }
}

impl Progress {
    /// Shows that the host itself gets the component.
    pub(crate) fn pulling(&self, registry: &str) {
        waiting(&self.bar, format!("the host pulls it from {registry}"));
    }

    /// Shows which check runs, from the release's `progress`.
    pub(crate) fn checking(&self, progress: Option<&Value>) {
        let field = |name: &str| progress?.get(name);
        let number = |name: &str| field(name).and_then(Value::as_u64);
        let now = field("now").and_then(Value::as_str);
        if let (Some(now), Some(done), Some(total)) = (now, number("done"), number("total")) {
            self.bar
                .set_message(format!("checking {now} ({} of {total})", done + 1));
        }
    }
}

impl Drop for Progress {
    /// Nothing stays behind: what comes next says how it went.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn checking(bar: &ProgressBar) {
    waiting(bar, "sent: the host checks and compiles it".to_owned());
}

fn waiting(bar: &ProgressBar, what: String) {
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(TICK);
}
