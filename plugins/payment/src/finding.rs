//! What payments have to be looked at for besides their texts.

use tenterhook_sdk::Findings;

use crate::model::{ITEMS_MAX, Item, TEXT_CHARS_MAX};

/// Looks for what is wrong with parts of a payment.
pub(crate) trait OfPayments {
    /// A text that a provider gave, or that is made of others: it is as long as it is.
    fn present(&mut self, field: &str, value: &str);
    /// An amount of money.
    fn money(&mut self, amount: u64, currency: &str);
    /// As ISO 4217 writes it.
    fn currency(&mut self, currency: &str);
    /// What is bought.
    fn items(&mut self, items: &[Item]);
}

impl OfPayments for Findings {
    fn present(&mut self, field: &str, value: &str) {
        self.check(!value.is_empty(), &format!("{field} is empty"));
    }

    fn money(&mut self, amount: u64, currency: &str) {
        self.check(amount > 0, "amount is not positive");
        self.currency(currency);
    }

    fn currency(&mut self, currency: &str) {
        let letters = currency.as_bytes();
        self.check(
            letters.len() == 3 && letters.iter().all(u8::is_ascii_uppercase),
            "currency is not of three capital letters",
        );
    }

    fn items(&mut self, items: &[Item]) {
        self.check(!items.is_empty(), "there are no items");
        self.check(
            items.len() <= ITEMS_MAX,
            "there are too many different items",
        );
        // The first will do, however many there are.
        let is_text = |item: &&Item| (1..=TEXT_CHARS_MAX).contains(&item.sku.chars().count());
        if let Some(item) = items.iter().find(|item| !is_text(item)) {
            self.text("an item's sku", &item.sku, TEXT_CHARS_MAX);
        }
        self.check(
            items.iter().all(|item| item.quantity > 0),
            "an item's quantity is not positive",
        );
    }
}
