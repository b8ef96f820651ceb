//! The host's refusals (RFC 9457 problem details) as failures of the command line.

use reqwest::StatusCode;
use serde_json::Value;

use crate::failure::{Failure, code};

/// How much is shown of an answer that is no problem, in characters.
const EXCERPT_CHARS: usize = 400;
/// Most single errors of a problem that are shown.
const ERRORS_MAX: usize = 20;

/// What an answer of `status` with `body` refuses.
pub(crate) fn failure(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| {
        problem
            .as_ref()
            .and_then(|problem| problem.get(name))
            .and_then(Value::as_str)
    };
    let Some(code) = field("code") else {
        return unknown(status, body);
    };
    let mut detail = field("detail")
        .or(field("title"))
        .unwrap_or(status.as_str())
        .to_owned();
    let errors = problem
        .as_ref()
        .and_then(|problem| problem.get("errors"))
        .and_then(Value::as_array);
    for error in errors.into_iter().flatten().take(ERRORS_MAX) {
        let sentence = error
            .as_str()
            .map_or_else(|| error.to_string(), str::to_owned);
        detail.push_str("\n  - ");
        detail.push_str(&sentence);
    }
    let failure = Failure::new(code.to_owned(), detail);
    match hint(code) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn unknown(status: StatusCode, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let excerpt: String = text.trim().chars().take(EXCERPT_CHARS).collect();
    let detail = if excerpt.is_empty() {
        format!("the host answered {status} and nothing else")
    } else {
        format!("the host answered {status}: {excerpt}")
    };
    Failure::new(code::ANSWER_INVALID, detail)
        .with_hint("is this the address of a Tenterhook host?")
}

/// What helps against a refusal, where something on this command line does.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "token-invalid" => "give a valid token with --token or TENTERHOOK_TOKEN",
        "permission-denied" => "this needs a token with more rights: ask the host's operator",
        "tenant-not-found" => {
            "`tenterhook tenant list` shows those there are, `tenterhook tenant put NAME` makes one"
        }
        "environment-not-found" => {
            "`tenterhook environment list` shows those there are, `tenterhook environment put NAME` makes one"
        }
        "plugin-not-found" => {
            "`tenterhook plugin list` shows those there are, `tenterhook plugin push FILE` makes one"
        }
        "release-not-found" => "`tenterhook release list PLUGIN` shows those there are",
        "workflow-type-not-found" => {
            "`tenterhook plugin show PLUGIN` shows the types of its current release"
        }
        "workflow-not-found" => "`tenterhook workflow list` shows those there are",
        "workflow-already-started" => {
            "choose another --id, or look at the one there is: `tenterhook workflow show ID`"
        }
        "temporal-unavailable" => {
            "the host runs, but Temporal behind it does not answer: see the host's log"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_for_codes_there_are() {
        let with_hint = tenterhook_domain::Code::ALL
            .iter()
            .filter(|code| hint(code.as_str()).is_some())
            .count();
        assert_eq!(with_hint, 10, "each arm of `hint` names a code of the host");
    }

    #[test]
    fn what_is_no_problem_is_quoted() {
        let failure = failure(StatusCode::BAD_GATEWAY, b"<h1>Bad gateway</h1>");
        assert_eq!(failure.code(), "answer-invalid");
        assert_eq!(
            failure.detail(),
            "the host answered 502 Bad Gateway: <h1>Bad gateway</h1>"
        );
    }

    #[test]
    fn single_errors_are_listed() {
        let body = br#"{"code":"input-invalid","detail":"the input is refused","errors":["/amount: is no number",{"at":"/x"}]}"#;
        let failure = failure(StatusCode::BAD_REQUEST, body);
        assert_eq!(
            failure.detail(),
            "the input is refused\n  - /amount: is no number\n  - {\"at\":\"/x\"}"
        );
    }
}
