//! What is wrong with an input, all of it at once.

use tenterhook_sdk::ActivityError;

use crate::model::NAME_BYTES_MAX;

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn check(&mut self, fits: bool, what: &str) {
        if !fits {
            self.0.push(what.to_owned());
        }
    }

    /// An id, or another short text that must be there.
    pub(crate) fn name(&mut self, field: &str, value: &str) {
        let fits = (1..=NAME_BYTES_MAX).contains(&value.len()) && !value.contains(char::is_control);
        self.check(
            fits,
            &format!("{field} is not of 1 to {NAME_BYTES_MAX} bytes"),
        );
    }

    /// The value, if it could be had.
    pub(crate) fn value<T>(&mut self, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.0.push(what)).ok()
    }

    /// Fails with `ValidationError` if anything was found: `whole` says with what.
    pub(crate) fn end(self, whole: &str) -> Result<(), ActivityError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let error = ActivityError::validation(format!("{whole} is wrong: {}", self.0.join("; ")));
        Err(error.with_detail(&self.0))
    }
}
