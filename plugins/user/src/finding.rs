//! What is wrong with an input, all of it at once.

use tenterhook_sdk::ActivityError;

/// Gathers what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// Adds what is wrong unless it fits.
    pub(crate) fn check(&mut self, fits: bool, what: &str) {
        if !fits {
            self.0.push(what.to_owned());
        }
    }

    /// A text of 1 to `max` bytes.
    pub(crate) fn text(&mut self, field: &str, value: &str, max: usize) {
        let fits = (1..=max).contains(&value.len());
        self.check(fits, &format!("{field} is not of 1 to {max} bytes"));
    }

    /// What is wrong in one sentence; nothing if all is well.
    pub(crate) fn sentence(&self, what: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{what}: {}", self.0.join("; ")))
    }

    /// A `ValidationError` that names everything that is wrong.
    #[track_caller]
    pub(crate) fn verdict(self, what: &str) -> Result<(), ActivityError> {
        match self.sentence(what) {
            None => Ok(()),
            Some(sentence) => Err(ActivityError::validation(sentence).with_detail(&self.0)),
        }
    }
}
