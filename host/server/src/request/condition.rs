//! `If-Match`: a change that is made only if nobody changed the thing since the caller read it.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use tenterhook_domain::{Code, Error, PluginName, Result, Scope};

use crate::problem::Problem;

/// Times that a change is made anew when the plugin changed between the look and the change. Only the guard writes
/// often, and what it writes is no part of a tag.
pub(crate) const TRIES_MAX: usize = 10;

/// The entity tags that the caller would have; without the header, any.
pub(crate) struct IfMatch(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let header = parts.headers.get(header::IF_MATCH);
        // What is no text is no tag of ours, and matches nothing.
        let text = header.map(|value| value.to_str().unwrap_or_default().to_owned());
        Ok(Self(text))
    }
}

impl IfMatch {
    /// True if the caller cares.
    pub(crate) fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// True if what has the entity tag `tag` now may be changed.
    pub(crate) fn allows(&self, tag: &str) -> bool {
        self.0.as_deref().is_none_or(|tags| {
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|wanted| wanted == "*" || wanted == tag)
        })
    }
}

/// The refusal of a change to what is not as the caller knows it.
pub(crate) fn outdated(what: &str, scope: &Scope, plugin: &PluginName) -> Error {
    Error::new(
        Code::PreconditionFailed,
        format!(
            "the {what} of plugin {plugin} of {scope} was changed meanwhile: read it again, and decide anew"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_tag_of_now() {
        let given = |text: &str| IfMatch(Some(text.to_owned()));
        assert!(IfMatch(None).allows("\"a\""));
        assert!(given("*").allows("\"a\""));
        assert!(given("\"a\"").allows("\"a\""));
        assert!(given("\"b\", \"a\"").allows("\"a\""));
        for other in ["", "a", "\"b\"", "W/\"a\""] {
            assert!(!given(other).allows("\"a\""), "{other}");
        }
    }
}
