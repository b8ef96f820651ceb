//! What a subscription costs: lines of an invoice, worked out from prices, usage and days. Pure.

use std::collections::BTreeMap;

use tenterhook_sdk::payload;

use crate::model::{Plan, Subscription, Terms};
use crate::money;
use crate::proration::{self, Days};

/// One line of an invoice.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// For a person.
    pub(crate) what: String,
    /// In the currency's minor unit; what is given back is below zero.
    pub(crate) amount: i64,
}

/// What of each metric was used.
pub(crate) type Usage = BTreeMap<String, u64>;

/// The price of what is subscribed to for a whole period.
fn whole(price: u64, quantity: u64) -> Result<i64, String> {
    money::times(price, quantity)
}

/// The next period's price, and what was used in the one that is over.
pub(crate) fn renewal(it: &Subscription, plan: &Plan, usage: &Usage) -> Result<Vec<Line>, String> {
    let mut lines = vec![Line {
        what: format!("{} x {}", it.quantity, it.plan_id),
        amount: whole(it.price, it.quantity)?,
    }];
    for price in &plan.usage {
        let used = usage.get(&price.metric).copied().unwrap_or_default();
        let billed = used.saturating_sub(price.included);
        if billed > 0 {
            lines.push(Line {
                what: format!("{billed} x {}", price.metric),
                amount: money::times(price.unit_price, billed)?,
            });
        }
    }
    Ok(lines)
}

/// What is left of the first period on the day that the subscription starts.
pub(crate) fn first(it: &Subscription, period: Days, day: i64) -> Result<Vec<Line>, String> {
    Ok(vec![Line {
        what: format!("{} x {}", it.quantity, it.plan_id),
        amount: proration::rest(whole(it.price, it.quantity)?, period, day),
    }])
}

/// What is left of the period is given back at the old terms, and taken at the new ones.
pub(crate) fn change(
    it: &Subscription,
    new: &Terms,
    new_price: u64,
    (period, day): (Days, i64),
) -> Result<Vec<Line>, String> {
    let back = proration::rest(whole(it.price, it.quantity)?, period, day);
    let taken = proration::rest(whole(new_price, new.quantity)?, period, day);
    let days = period.until - day;
    Ok(vec![
        Line {
            what: format!("{} x {}, {days} days unused", it.quantity, it.plan_id),
            amount: -back,
        },
        Line {
            what: format!("{} x {}, {days} days", new.quantity, new.plan_id),
            amount: taken,
        },
    ])
}

/// The sum of all lines, or what is wrong with it.
pub(crate) fn total(lines: &[Line]) -> Result<i64, String> {
    let sum: i128 = lines.iter().map(|line| i128::from(line.amount)).sum();
    i64::try_from(sum)
        .ok()
        .filter(|total| total.unsigned_abs() <= money::AMOUNT_MAX)
        .ok_or_else(|| format!("a total of {sum} minor units is too much"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::date::Date;
    use crate::model::{Period, Status, UsagePrice};

    fn subscribed(plan_id: &str, price: u64, quantity: u64) -> Subscription {
        Subscription {
            customer_id: "c-1".to_owned(),
            plan_id: plan_id.to_owned(),
            quantity,
            status: Status::Active,
            price,
            currency: "EUR".to_owned(),
            period: Period {
                starts_on: Date::of_day(0),
                ends_on: Date::of_day(30),
                zone: "Europe/Berlin".to_owned(),
            },
            renews_to: None,
        }
    }

    fn terms(plan_id: &str, quantity: u64) -> Terms {
        Terms {
            plan_id: plan_id.to_owned(),
            quantity,
            status: Status::Active,
        }
    }

    #[test]
    fn a_renewal_is_the_price_and_what_was_used_beyond_what_is_included() {
        let price = |metric: &str, included| UsagePrice {
            metric: metric.to_owned(),
            included,
            unit_price: 5,
        };
        let plan = Plan {
            price: 9_999,
            currency: "EUR".to_owned(),
            price_version: 2,
            usage: vec![price("calls", 100), price("mails", 10), price("idle", 0)],
        };
        let usage = Usage::from([
            ("calls".to_owned(), 150),
            ("mails".to_owned(), 10),
            ("unpriced".to_owned(), 7),
        ]);
        let lines = renewal(&subscribed("pro", 4_200, 2), &plan, &usage).unwrap();
        let amounts: Vec<_> = lines.iter().map(|line| line.amount).collect();
        assert_eq!(amounts, [8_400, 250], "{lines:?}");
        assert_eq!(total(&lines), Ok(8_650));
    }

    #[test]
    fn what_is_too_much_is_an_error_and_not_a_wrong_amount() {
        assert!(
            first(
                &subscribed("pro", u64::MAX, 2),
                Days { from: 0, until: 30 },
                0
            )
            .is_err()
        );
        let line = |amount| Line {
            what: String::new(),
            amount,
        };
        assert!(total(&[line(i64::MAX), line(i64::MAX)]).is_err());
        assert_eq!(total(&[line(5), line(-7)]), Ok(-2));
    }

    proptest! {
        #[test]
        fn upgrade_then_downgrade_on_a_day_costs_nothing(
            old in 0..1_000_000_u64,
            new in 0..1_000_000_u64,
            quantities in (1..1_000_u64, 1..1_000_u64),
            length in 1..400_i64,
            cut in 0..400_i64,
        ) {
            let (period, day) = (Days { from: 0, until: length }, cut % length);
            let there = change(
                &subscribed("basic", old, quantities.0), &terms("pro", quantities.1), new, (period, day),
            ).unwrap();
            let back = change(
                &subscribed("pro", new, quantities.1), &terms("basic", quantities.0), old, (period, day),
            ).unwrap();
            prop_assert_eq!(total(&there).unwrap() + total(&back).unwrap(), 0);
        }

        /// First charge, upgrade, downgrade: together the days on each plan.
        #[test]
        fn a_subscriber_pays_for_each_day_once(
            old in 0..1_000_000_u64,
            new in 0..1_000_000_u64,
            length in 1..400_i64,
            cuts in (0..400_i64, 0..400_i64, 0..400_i64),
        ) {
            let period = Days { from: 0, until: length };
            let mut days = [cuts.0 % length, cuts.1 % length, cuts.2 % length];
            days.sort_unstable();
            let [start, up, down] = days;
            let (basic, pro) = (subscribed("basic", old, 1), subscribed("pro", new, 1));
            let paid = [
                first(&basic, period, start).unwrap(),
                change(&basic, &terms("pro", 1), new, (period, up)).unwrap(),
                change(&pro, &terms("basic", 1), old, (period, down)).unwrap(),
            ];
            let paid: i64 = paid.iter().map(|lines| total(lines).unwrap()).sum();
            let share = |price: u64, from, until| {
                proration::share(i64::try_from(price).unwrap(), period, Days { from, until })
            };
            let worth = share(old, start, up) + share(new, up, down) + share(old, down, length);
            prop_assert_eq!(paid, worth);
        }
    }
}
