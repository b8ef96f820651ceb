//! When a ramp stops by itself: what was seen of the new release against what was seen of the current one.

use tenterhook_domain::rollout::{Guard, Health};

/// Durations that differ by less are the machine's and the server's noise, whatever their ratio, in milliseconds.
pub const P99_NOISE_MILLIS: u64 = 250;

/// Why the ramp must stop, with the sizes of the samples and the share of the starts that the new release got; none
/// while it is within its bounds, or too little was seen.
pub fn judge(guard: &Guard, new: &Health, current: &Health) -> Option<String> {
    if !guard.enabled {
        return None;
    }
    let found = tasks(guard, new, current)
        .or_else(|| ends(guard, new, current))
        .or_else(|| durations(guard, new, current))?;
    Some(format!("{found}; {}", share(new, current)))
}

/// Executions whose task fails never close, so they are held against those that were started.
fn tasks(guard: &Guard, new: &Health, current: &Health) -> Option<String> {
    if new.started < guard.sample_min {
        return None;
    }
    let (bad, good) = (
        Rate::of(new.task_failed, new.started),
        Rate::of(current.task_failed, current.started),
    );
    let allowed = guard.task_failure_points_max;
    bad.is_beyond(&good, allowed).then(|| {
        format!("workflow tasks fail in {bad} executions of the new release against {good} of the current one, and {allowed} points more are allowed")
    })
}

fn ends(guard: &Guard, new: &Health, current: &Health) -> Option<String> {
    if new.closed < guard.sample_min {
        return None;
    }
    let (bad, good) = (
        Rate::of(new.failed, new.closed),
        Rate::of(current.failed, current.closed),
    );
    let allowed = guard.failure_points_max;
    bad.is_beyond(&good, allowed).then(|| {
        format!("{bad} closed executions of the new release failed against {good} of the current one, and {allowed} points more are allowed")
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "durations in milliseconds are far below 2^52"
)]
fn durations(guard: &Guard, new: &Health, current: &Health) -> Option<String> {
    if new.closed.min(current.closed) < guard.sample_min.max(1) {
        return None;
    }
    let (slow, usual) = (new.p99_millis?, current.p99_millis?);
    let allowed = guard.p99_ratio_max;
    if slow.saturating_sub(usual) < P99_NOISE_MILLIS || slow as f64 <= usual as f64 * allowed {
        return None;
    }
    Some(format!(
        "the p99 of {} closed executions of the new release is {slow} ms against {usual} ms of {} of the current one, and {allowed} times are allowed",
        new.closed, current.closed
    ))
}

/// How many of the starts since the ramp began the new release got.
fn share(new: &Health, current: &Health) -> String {
    let affected = Rate::of(new.started, new.started + current.started);
    format!("{affected} starts since the ramp began went to the new release")
}

/// So many of so many.
struct Rate {
    part: u64,
    whole: u64,
}

impl Rate {
    fn of(part: u64, whole: u64) -> Self {
        Self { part, whole }
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "numbers of executions are far below 2^52"
    )]
    fn percent(&self) -> f64 {
        self.part as f64 * 100.0 / self.whole.max(1) as f64
    }

    fn is_beyond(&self, usual: &Self, points: f64) -> bool {
        self.percent() - usual.percent() > points
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} ({:.1} %)",
            self.part,
            self.whole,
            self.percent()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(started: u64, closed: u64, failed: u64, task_failed: u64, p99: u64) -> Health {
        Health {
            started,
            closed,
            failed,
            task_failed,
            p99_millis: (closed > 0).then_some(p99),
        }
    }

    /// The words that the verdict has to have; none: the ramp goes on.
    fn check(new: Health, current: Health, expected: Option<&[&str]>) {
        let found = judge(&Guard::default(), &new, &current);
        match (expected, &found) {
            (None, None) => {}
            (Some(words), Some(sentence)) => {
                for word in words {
                    assert!(sentence.contains(word), "{word:?} is not in {sentence:?}");
                }
            }
            _ => panic!("{new:?} against {current:?}: {found:?}"),
        }
    }

    #[test]
    fn a_release_out_of_bounds_is_stopped_with_the_reason() {
        let usual = health(180, 180, 2, 0, 100);
        check(health(0, 0, 0, 0, 0), usual, None);
        check(health(20, 20, 0, 0, 100), usual, None);
        // Too few to judge: nine started, nine closed.
        check(health(9, 9, 9, 9, 9_000), usual, None);
        check(
            health(20, 10, 0, 10, 100),
            usual,
            Some(&[
                "tasks fail",
                "10 of 20 (50.0 %)",
                "0 of 180",
                "20 of 200 (10.0 %)",
            ]),
        );
        // Stuck executions never close: none of ten did.
        check(health(10, 0, 0, 5, 0), usual, Some(&["5 of 10 (50.0 %)"]));
        check(
            health(20, 20, 10, 0, 100),
            usual,
            Some(&["failed", "10 of 20 (50.0 %)", "2 of 180 (1.1 %)"]),
        );
        // Within five points of the current one's 1.1 %.
        check(health(100, 100, 6, 0, 100), usual, None);
        check(health(100, 100, 7, 0, 100), usual, Some(&["7 of 100"]));
        check(
            health(20, 20, 0, 0, 500),
            usual,
            Some(&["p99", "500 ms", "100 ms of 180"]),
        );
        check(health(20, 20, 0, 0, 300), usual, None);
    }

    #[test]
    fn a_current_release_that_is_as_bad_excuses_the_new_one() {
        let bad = health(180, 180, 90, 20, 1_000);
        check(health(20, 20, 10, 2, 1_000), bad, None);
    }

    #[test]
    fn noise_is_no_reason() {
        // Ten times as long, and twenty milliseconds.
        check(health(20, 20, 0, 0, 20), health(180, 180, 0, 0, 2), None);
        // Nothing of the current release closed: there is nothing to be slower than.
        check(health(20, 20, 0, 0, 9_000), health(180, 0, 0, 0, 0), None);
    }

    #[test]
    fn a_guard_that_is_off_sees_nothing() {
        let off = Guard {
            enabled: false,
            ..Guard::default()
        };
        assert_eq!(
            judge(&off, &health(20, 20, 20, 20, 9), &Health::default()),
            None
        );
    }
}
