//! Amounts of money, in whole minor units of one currency: no fraction of a cent is ever made or lost.

/// The most minor units of one amount: sums of as many lines as an invoice may have stay far within 64 bits.
pub(crate) const AMOUNT_MAX: u64 = 1_000_000_000_000;

/// So many pieces at a price, or what is wrong with it.
pub(crate) fn times(price: u64, quantity: u64) -> Result<i64, String> {
    price
        .checked_mul(quantity)
        .filter(|amount| *amount <= AMOUNT_MAX)
        .and_then(|amount| i64::try_from(amount).ok())
        .ok_or_else(|| format!("{quantity} at {price} minor units are more than {AMOUNT_MAX}"))
}

/// Whether a text is the code of a currency, as ISO 4217 writes them.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_bounded_and_exact() {
        assert_eq!(times(4_200, 3), Ok(12_600));
        assert_eq!(times(0, u64::MAX), Ok(0));
        assert_eq!(times(AMOUNT_MAX, 1), Ok(1_000_000_000_000));
        assert!(times(AMOUNT_MAX, 2).is_err());
        assert!(times(u64::MAX, u64::MAX).is_err());
    }

    #[test]
    fn currencies_are_three_capital_letters() {
        assert!(is_currency("EUR"));
        for text in ["", "eur", "EURO", "E1R", "ÄU"] {
            assert!(!is_currency(text), "{text}");
        }
    }
}
