//! Who calls: the token, where the call comes from, and the reason that the caller gives.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, header, request::Parts};
use tenterhook_domain::{
    Code, Error, Result,
    audit::{Author, REASON_CHARS_MAX},
    token::{self, Principal},
};

use crate::Api;

/// Longest `Authorization` header that is looked at, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 512;
/// The header in which a caller says why; it stands in the audit log.
pub(crate) const REASON: HeaderName = HeaderName::from_static("tenterhook-reason");

/// The other end of a connection; every request of it carries this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Who calls: the token and what it speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) principal: Principal,
    from: String,
    why: String,
}

impl Caller {
    /// The caller as the audit log names it.
    pub(crate) fn author(&self) -> Author {
        Author {
            who: format!("token:{}", self.token),
            from: self.from.clone(),
            why: self.why.clone(),
        }
    }
}

/// The caller whose valid token the request carries.
///
/// # Errors
/// `token-invalid`, and `request-invalid` for a reason that is too long.
pub(super) async fn authenticate(api: &Api, parts: &Parts) -> Result<Caller> {
    let refused = |why: &str| {
        Error::new(
            Code::TokenInvalid,
            format!("{why}: send the header Authorization: Bearer tth_…"),
        )
    };
    let value = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| refused("there is no token"))?;
    let text = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= AUTHORIZATION_BYTES_MAX)
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let (id, secret) = text
        .and_then(token::parse)
        .ok_or_else(|| refused("the token cannot be read"))?;
    match api.state.store.tokens.find(id).await? {
        Some(record)
            if record.matches(secret) && record.is_valid_at(api.state.clock.now_millis()) =>
        {
            let peer = parts.extensions.get::<Peer>();
            Ok(Caller {
                token: record.id,
                principal: record.principal,
                from: peer.map_or_else(String::new, |Peer(address)| address.to_string()),
                why: reason(&parts.headers)?,
            })
        }
        _ => Err(refused("the token is not valid")),
    }
}

/// The caller's reason; empty without one. Headers are bytes: what is no UTF-8 is read as Latin-1.
fn reason(headers: &HeaderMap) -> Result<String> {
    let Some(value) = headers.get(REASON) else {
        return Ok(String::new());
    };
    let text = match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    };
    if text.chars().count() > REASON_CHARS_MAX {
        return Err(Error::new(
            Code::RequestInvalid,
            format!("the reason has more than {REASON_CHARS_MAX} characters: shorten it"),
        ));
    }
    // Whoever reads the log later may do so on a terminal.
    Ok(text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(bytes: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(REASON, HeaderValue::from_bytes(bytes).unwrap())])
    }

    #[test]
    fn a_reason_is_read_whatever_its_letters() {
        assert_eq!(reason(&HeaderMap::new()).unwrap(), "");
        assert_eq!(reason(&with(b" too slow ")).unwrap(), "too slow");
        assert_eq!(reason(&with("fällt aus".as_bytes())).unwrap(), "fällt aus");
        assert_eq!(reason(&with(b"f\xe4llt\taus\x9b")).unwrap(), "fällt aus");
        let most = "ä".repeat(REASON_CHARS_MAX);
        assert_eq!(reason(&with(most.as_bytes())).unwrap(), most);
        let error = reason(&with(format!("{most}ä").as_bytes())).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
    }
}
