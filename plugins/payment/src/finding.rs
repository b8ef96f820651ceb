//! What is wrong with an input, all of it at once.

use tenterhook_sdk::ActivityError;

use crate::model::{ITEMS_MAX, Item, TEXT_CHARS_MAX};

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// Adds what is wrong unless it fits.
    pub(crate) fn check(&mut self, fits: bool, what: &str) {
        if !fits {
            self.0.push(what.to_owned());
        }
    }

    /// A text that callers give.
    pub(crate) fn text(&mut self, field: &str, value: &str) {
        self.check(
            is_text(value),
            &format!("{field} is not of 1 to {TEXT_CHARS_MAX} characters"),
        );
    }

    /// A text that a provider gave, or that is made of others: it is as long as it is.
    pub(crate) fn present(&mut self, field: &str, value: &str) {
        self.check(!value.is_empty(), &format!("{field} is empty"));
    }

    /// An amount of money.
    pub(crate) fn money(&mut self, amount: u64, currency: &str) {
        self.check(amount > 0, "amount is not positive");
        self.currency(currency);
    }

    /// As ISO 4217 writes it.
    pub(crate) fn currency(&mut self, currency: &str) {
        let letters = currency.as_bytes();
        self.check(
            letters.len() == 3 && letters.iter().all(u8::is_ascii_uppercase),
            "currency is not of three capital letters",
        );
    }

    /// What is bought.
    pub(crate) fn items(&mut self, items: &[Item]) {
        self.check(!items.is_empty(), "there are no items");
        self.check(
            items.len() <= ITEMS_MAX,
            "there are too many different items",
        );
        // The first will do, however many there are.
        if let Some(item) = items.iter().find(|item| !is_text(&item.sku)) {
            self.text("an item's sku", &item.sku);
        }
        self.check(
            items.iter().all(|item| item.quantity > 0),
            "an item's quantity is not positive",
        );
    }

    /// Fails with a `ValidationError` if anything was found; `what` says of what.
    #[track_caller]
    pub(crate) fn verdict(self, what: &str) -> Result<(), ActivityError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let sentence = format!("{what}: {}", self.0.join("; "));
        Err(ActivityError::validation(sentence).with_detail(&self.0))
    }
}

fn is_text(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= TEXT_CHARS_MAX
}
