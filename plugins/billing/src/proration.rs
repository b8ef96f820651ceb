//! Proration: what of a period's price falls on some of its days, exact to the minor unit.
//!
//! The price is spread over the days by rounding what is owed *from the period's beginning until a day*, never a part
//! by itself. A part is the difference of two such amounts. So parts that cover the period sum to its price, however it
//! is cut, and a change that is taken back on the same day takes back the same amount.

/// The days of a period, as numbers: the first, and the first after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Days {
    pub(crate) fn has(self, day: i64) -> bool {
        (self.from..self.until).contains(&day)
    }

    fn length(self) -> i64 {
        self.until - self.from
    }
}

/// What of `price` is owed when the period has come to the beginning of `day`, rounded down. Before the period that is
/// nothing, after it all; a period without days owes all at once.
fn owed_until(price: i64, period: Days, day: i64) -> i64 {
    if day >= period.until || period.length() <= 0 {
        return price;
    }
    let gone = (day - period.from).max(0);
    let owed = (i128::from(price) * i128::from(gone)).div_euclid(i128::from(period.length()));
    // Between nothing and the price, which fits.
    i64::try_from(owed).unwrap_or(price)
}

/// What of `price` falls on the days from `part.from` until `part.until` of the period.
pub(crate) fn share(price: i64, period: Days, part: Days) -> i64 {
    owed_until(price, period, part.until) - owed_until(price, period, part.from)
}

/// What of `price` falls on the rest of the period, from `day` on.
pub(crate) fn rest(price: i64, period: Days, day: i64) -> i64 {
    let until = period.until;
    share(price, period, Days { from: day, until })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICE_MAX: i64 = 1_000_000_000_000;
    const DAYS_MAX: i64 = 400;

    fn period() -> impl Strategy<Value = Days> {
        (-1_000_000..1_000_000_i64, 1..DAYS_MAX).prop_map(|(from, length)| Days {
            from,
            until: from + length,
        })
    }

    /// A period and days of it, in order.
    fn cut() -> impl Strategy<Value = (Days, Vec<i64>)> {
        (period(), prop::collection::vec(0..DAYS_MAX, 0..12)).prop_map(|(period, cuts)| {
            let day = |cut: i64| period.from + cut % period.length();
            let mut days: Vec<i64> = cuts.into_iter().map(day).collect();
            days.sort_unstable();
            (period, days)
        })
    }

    /// The parts between one day and the next, which cover the period.
    fn parts(period: Days, days: &[i64]) -> Vec<Days> {
        let mut ends = vec![period.from];
        ends.extend(days);
        ends.push(period.until);
        ends.windows(2)
            .map(|ends| Days {
                from: ends[0],
                until: ends[1],
            })
            .collect()
    }

    #[test]
    fn a_third_of_ten_goes_nowhere() {
        let period = Days { from: 0, until: 3 };
        let share = |from, until| share(10, period, Days { from, until });
        assert_eq!([share(0, 1), share(1, 2), share(2, 3)], [3, 3, 4]);
        assert_eq!(rest(10, period, 1), 7);
        assert_eq!((rest(10, period, -5), rest(10, period, 3)), (10, 0));
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_whole(price in 0..=PRICE_MAX, (period, days) in cut()) {
            let sum: i64 = parts(period, &days).into_iter().map(|part| share(price, period, part)).sum();
            prop_assert_eq!(sum, price);
        }

        #[test]
        fn a_part_is_what_its_days_are_worth_to_the_unit(price in 0..=PRICE_MAX, (period, days) in cut()) {
            for part in parts(period, &days) {
                let exact = i128::from(price) * i128::from(part.until - part.from);
                let of_days = i128::from(share(price, period, part)) * i128::from(period.length());
                prop_assert!((exact - of_days).abs() < i128::from(period.length()), "{part:?}");
                prop_assert!(share(price, period, part) >= 0);
            }
        }

        #[test]
        fn an_upgrade_taken_back_conserves(
            old in 0..=PRICE_MAX,
            new in 0..=PRICE_MAX,
            (period, days) in cut(),
        ) {
            for day in days {
                let there = rest(new, period, day) - rest(old, period, day);
                let back = rest(old, period, day) - rest(new, period, day);
                prop_assert_eq!(there + back, 0);
            }
        }

        /// Whoever changes plans again and again pays for each day the plan of that day, and nothing else.
        #[test]
        fn changes_cost_the_days_on_each_plan(
            prices in prop::collection::vec(0..=PRICE_MAX, 13),
            (period, days) in cut(),
        ) {
            let mut paid = prices[0];
            for (change, day) in days.iter().enumerate() {
                paid += rest(prices[change + 1], period, *day) - rest(prices[change], period, *day);
            }
            let on_each: i64 = parts(period, &days)
                .into_iter()
                .zip(&prices)
                .map(|(part, price)| share(*price, period, part))
                .sum();
            prop_assert_eq!(paid, on_each);
        }
    }
}
