//! What goes wrong on the command line: a stable code, what happened, what to do.
//!
//! Codes are the host's own (`tenterhook_domain::Code`) where the host refused, and [`code`]'s where no host
//! was asked.

use std::{borrow::Cow, error::Error as StdError};

use tenterhook_domain as domain;

/// A result whose error can be shown.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Codes of refusals that only the command line meets.
pub(crate) mod code {
    /// The program is used wrongly.
    pub(crate) const USAGE: &str = "usage";
    /// A fault of the program.
    pub(crate) const INTERNAL: &str = "internal";
    /// Nothing says where the host is.
    pub(crate) const HOST_UNKNOWN: &str = "host-unknown";
    /// The host does not answer.
    pub(crate) const HOST_UNREACHABLE: &str = "host-unreachable";
    /// The host, or what stands before it, answers something else than the API does.
    pub(crate) const ANSWER_INVALID: &str = "answer-invalid";
    /// Nothing says which token to send.
    pub(crate) const TOKEN_MISSING: &str = "token-missing";
    /// A file cannot be read.
    pub(crate) const FILE_UNREADABLE: &str = "file-unreadable";
    /// Standard output cannot be written.
    pub(crate) const OUTPUT_FAILED: &str = "output-failed";
    /// A file cannot be written.
    pub(crate) const FILE_UNWRITABLE: &str = "file-unwritable";
    /// A folder that is to be made is there already.
    pub(crate) const FOLDER_TAKEN: &str = "folder-taken";
    /// A program that the command runs is not installed, or a part of it.
    pub(crate) const TOOL_MISSING: &str = "tool-missing";
    /// The plugin's crate does not build.
    pub(crate) const BUILD_FAILED: &str = "build-failed";
    /// The plugin's tests fail.
    pub(crate) const TESTS_FAILED: &str = "tests-failed";
    /// The system does not let files be watched.
    pub(crate) const WATCH_FAILED: &str = "watch-failed";
    /// The release is stored, and its checks are not over.
    pub(crate) const CHECKS_RUNNING: &str = "checks-running";
    /// The execution ended without a result.
    pub(crate) const WORKFLOW_FAILED: &str = "workflow-failed";
    /// The execution has not ended yet.
    pub(crate) const WORKFLOW_RUNNING: &str = "workflow-running";
}

/// Most causes that are told.
const CAUSES_MAX: usize = 8;

/// A refusal to show.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Cow<'static, str>,
    detail: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A refusal of `code`. `detail` names the thing and quotes values.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            detail: detail.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The program is used wrongly.
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Self::new(code::USAGE, detail)
    }

    /// A fault of the program.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, detail)
    }

    /// What the parser of the command line says.
    pub(crate) fn of_arguments(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        Self::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
    }

    /// What ended a host. A refusal among its causes gives the code.
    pub(crate) fn of_host(error: &anyhow::Error) -> Self {
        let code = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<domain::Error>());
        let code = code.map_or(code::INTERNAL, |refusal| refusal.code().as_str());
        let failure = Self::new(code, error.to_string());
        match error.source() {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what caused it, and what caused that. A cause that repeats what is said already is left out.
    #[must_use]
    pub(crate) fn caused_by(mut self, cause: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next.filter(|_| self.causes.len() < CAUSES_MAX) {
            let text = cause.to_string();
            let said = self.causes.last().unwrap_or(&self.detail);
            if !said.ends_with(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds causes that are sentences already, nearest first.
    #[must_use]
    pub(crate) fn with_causes(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// What happened.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What caused it, nearest first.
    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the process exits with: 2 for wrong use, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.code == code::USAGE { 2 } else { 1 }
    }
}

impl From<domain::Error> for Failure {
    fn from(error: domain::Error) -> Self {
        let failure = Self::new(error.code().as_str(), error.detail());
        match error.source() {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_host_that_ends_tells_its_code_and_causes_once() {
        let refusal = domain::Error::new(domain::Code::DataDirLocked, "another host uses it")
            .caused_by("the lock");
        let error = anyhow::Error::new(refusal).context("the host does not start");
        let failure = Failure::of_host(&error);
        assert_eq!(failure.code(), "data-dir-locked");
        assert_eq!(failure.detail(), "the host does not start");
        assert_eq!(failure.causes(), ["another host uses it", "the lock"]);
        assert_eq!(failure.exit_code(), 1);

        let plain = Err::<(), _>(std::io::Error::other("no"))
            .context("cannot")
            .expect_err("it failed");
        assert_eq!(Failure::of_host(&plain).code(), "internal");
    }
}
