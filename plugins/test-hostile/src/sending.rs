//! Activities that send more than they may, and where they may not.

use tenterhook_sdk::__private::generated::wasi::http::{
    outgoing_handler,
    types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, Scheme},
};
use tenterhook_sdk::{ActivityContext, ActivityError, activity, config, http, payload};

/// Marks a URL that stands in the configuration, under this key.
const BY_CONFIG: &str = "config:";
/// How the host tells that it leaves a destination alone.
const LEFT_ALONE: &str = "outbound-circuit-open";

/// What [`Send`] sends.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// A URL, or the key of one.
    pub(crate) to: String,
    /// So often, one after another.
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// Bytes of each body.
    #[serde(default)]
    pub(crate) bytes: usize,
    /// The header `authorization`.
    #[serde(default)]
    pub(crate) authorization: Option<String>,
    /// Deletes instead of posting.
    #[serde(default)]
    pub(crate) deletes: bool,
}

fn once() -> u32 {
    1
}

fn url(to: &str) -> Result<String, ActivityError> {
    match to.strip_prefix(BY_CONFIG) {
        Some(key) => config::require(key),
        None => Ok(to.to_owned()),
    }
}

/// Sends until something fails, and fails with that.
#[activity]
pub(crate) fn send(_: &ActivityContext, input: Sending) -> Result<(), ActivityError> {
    let url = url(&input.to)?;
    for _ in 0..input.times {
        let mut request = match input.deletes {
            true => http::delete(&url),
            false => http::post(&url).body("text/plain", vec![b'x'; input.bytes]),
        };
        if let Some(value) = &input.authorization {
            request = request.header("authorization", value);
        }
        request.send()?.ok()?;
    }
    Ok(())
}

/// Asks so often, whatever becomes of it. Fails as soon as the host leaves the destination alone.
#[activity]
pub(crate) fn insist(_: &ActivityContext, input: Sending) -> Result<(), ActivityError> {
    let url = url(&input.to)?;
    let refusal = (0..input.times).find_map(|_| {
        let asked = http::get(&url).send().err();
        asked.filter(|error| error.message().contains(LEFT_ALONE))
    });
    refusal.map_or(Ok(()), Err)
}

/// Takes answers and reads none of them, so that all stay under way. Fails with why it gets no more.
#[activity]
pub(crate) fn hold_answers(_: &ActivityContext, input: Sending) -> Result<(), ActivityError> {
    let url = url(&input.to)?;
    let authority = url.trim_start_matches("http://");
    let mut held = Vec::new();
    for _ in 0..input.times {
        match ask(authority) {
            Ok(answer) => held.push(answer),
            // That the far side was slow says nothing of how many may be under way.
            Err(_) if held.is_empty() => {}
            Err(code) => return Err(ActivityError::network(format!("{code:?}"))),
        }
    }
    Ok(())
}

fn ask(authority: &str) -> Result<IncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    // What it does not take it tells of when the request is sent.
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(authority));
    let _ = request.set_path_with_query(Some("/"));
    let answer = outgoing_handler::handle(request, None)?;
    loop {
        match answer.get() {
            Some(Ok(answer)) => return answer,
            Some(Err(())) => return Err(ErrorCode::InternalError(None)),
            None => answer.subscribe().block(),
        }
    }
}
