//! What is wrong with an input, all of it at once.

use temporalio_workflow::WorkflowResult;

use crate::error::ActivityError;
use crate::time;

/// Gathers what is wrong with an input, so that its sender hears of all of it in one `ValidationError`.
///
/// JSON Schemas keep the door; this is for what they cannot say, and for what does not come by the door: an activity's
/// input is made by a workflow.
///
/// ```ignore
/// let mut findings = Findings::default();
/// findings.text("order_id", &order.order_id, 200);
/// findings.check(order.amount > 0, "amount is not positive");
/// findings.verdict("the order cannot be taken")?;
/// ```
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Adds what is wrong unless it fits.
    pub fn check(&mut self, fits: bool, what: &str) {
        if !fits {
            self.0.push(what.to_owned());
        }
    }

    /// A text of 1 to `max` characters, counted as JSON Schema does.
    pub fn text(&mut self, field: &str, value: &str, max: usize) {
        let fits = (1..=max).contains(&value.chars().count());
        self.check(fits, &format!("{field} is not of 1 to {max} characters"));
    }

    /// The value, or what is wrong with it.
    pub fn value<T>(&mut self, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.0.push(what)).ok()
    }

    /// Everything that is wrong in one sentence that begins with `whole`; nothing if all is well.
    #[must_use]
    pub fn sentence(&self, whole: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{whole}: {}", self.0.join("; ")))
    }

    /// The same for an activity. The error's first detail is the list of what is wrong.
    ///
    /// # Errors
    /// A `ValidationError` if anything was found.
    #[track_caller]
    pub fn verdict(self, whole: &str) -> Result<(), ActivityError> {
        match self.sentence(whole) {
            None => Ok(()),
            Some(sentence) => Err(ActivityError::validation(sentence).with_detail(&self.0)),
        }
    }

    /// The same for a workflow.
    ///
    /// # Errors
    /// Ends the workflow with a `ValidationError` if anything was found.
    pub fn workflow_verdict(self, whole: &str) -> WorkflowResult<()> {
        match self.sentence(whole) {
            None => Ok(()),
            Some(sentence) => Err(time::invalid(sentence)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_in_one_error() {
        let mut findings = Findings::default();
        findings.check(true, "never told");
        findings.check(false, "amount is not positive");
        findings.text("order_id", "", 5);
        assert_eq!(findings.value(Ok(7)), Some(7));
        assert_eq!(findings.value::<u8>(Err("date is no day".to_owned())), None);
        let error = findings.verdict("the order cannot be taken");
        let failure = error.expect_err("it is wrong").into_failure();
        assert!(failure.non_retryable);
        assert_eq!(failure.error.kind, "ValidationError");
        let said = "the order cannot be taken: amount is not positive; \
                    order_id is not of 1 to 5 characters; date is no day";
        assert_eq!(failure.error.message, said);
        let listed = br#"["amount is not positive","order_id is not of 1 to 5 characters","date is no day"]"#;
        assert_eq!(failure.error.details[0].data, listed);
        let place = failure.error.stack_trace.unwrap_or_default();
        assert!(place.contains("finding.rs:"), "{place}");
    }

    #[test]
    fn texts_are_as_long_as_their_characters() {
        for (value, fits) in [
            ("", false),
            ("a", true),
            ("abcde", true),
            ("äöüßé", true),
            ("abcdef", false),
        ] {
            let mut findings = Findings::default();
            findings.text("name", value, 5);
            assert_eq!(findings.verdict("wrong").is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn a_workflow_ends_with_the_same_words() {
        assert!(Findings::default().workflow_verdict("wrong").is_ok());
        let mut findings = Findings::default();
        findings.check(false, "there are no items");
        assert_eq!(
            findings.sentence("wrong").as_deref(),
            Some("wrong: there are no items")
        );
        let ended = findings.workflow_verdict("wrong").expect_err("it is wrong");
        let ended = format!("{ended:?}");
        assert!(ended.contains("ValidationError"), "{ended}");
        assert!(ended.contains("wrong: there are no items"), "{ended}");
    }
}
