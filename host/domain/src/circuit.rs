//! Circuit breakers: a destination that keeps failing is left alone for a while, and then asked once.
//!
//! **Closed**, requests go out. After [`FAILURES_TO_OPEN`] failures with no success in between it **opens**, and requests
//! are refused at once. When the time is over, it is **half open**: one request goes out as a probe, and what becomes of
//! it closes the circuit or opens it for longer.
//!
//! [`Circuit`] is the state machine, told the time and what became of requests; [`Circuits`] is where the server asks.

use std::time::Duration;

use serde::Serialize;

use crate::{clock::millis, name::TenantId};

/// Failures in a row that open a circuit.
pub const FAILURES_TO_OPEN: u32 = 7;
/// How long a circuit is open the first time, without what chance adds.
pub const OPEN_MIN: Duration = Duration::from_secs(1);
/// How long it is open at most, without what chance adds. Each probe that fails doubles the time up to here.
pub const OPEN_MAX: Duration = Duration::from_secs(60);
/// Chance adds up to this part of the time, so that hosts do not all probe at once.
const JITTER: f64 = 0.5;

/// Whether requests go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CircuitState {
    /// They do.
    Closed,
    /// They are refused.
    Open,
    /// One goes out as a probe; others are refused meanwhile.
    HalfOpen,
}

/// What became of a request that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The destination answered.
    Success,
    /// It did not, or said that it is at fault.
    Failure,
    /// Nothing was learned of it.
    Unknown,
}

/// Lets one request through. What becomes of it is to be told, whatever that is: until then a probe keeps others out.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Pass {
    epoch: u64,
}

/// Why a request does not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// In so many milliseconds the next probe may go out; none while one is under way.
    pub after_millis: Option<u64>,
}

/// The circuit of one tenant and one destination. All times are milliseconds of one clock that never goes back.
#[derive(Debug, Default)]
pub struct Circuit {
    state: State,
    /// Grows with every change of state, so that what was let through before counts no more.
    epoch: u64,
    /// How often it opened since it was last closed.
    opened: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: u64 },
    HalfOpen { probing: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    /// Why a request would be refused at `now`; nothing is changed.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn look(&self, now: u64) -> Result<(), Refused> {
        let after_millis = match self.state {
            State::Open { until } if now < until => Some(until - now),
            State::HalfOpen { probing: true } => None,
            _ => return Ok(()),
        };
        Err(Refused { after_millis })
    }

    /// Lets a request through at `now`, as a probe where the time of an open circuit is over.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit(&mut self, now: u64) -> Result<Pass, Refused> {
        self.look(now)?;
        if !matches!(self.state, State::Closed { .. }) {
            self.become_state(State::HalfOpen { probing: true });
        }
        Ok(Pass { epoch: self.epoch })
    }

    /// Takes in what became of a request. `chance`, from 0 to 1, is what jitter is made of.
    pub fn report(&mut self, pass: Pass, outcome: Outcome, now: u64, chance: f64) {
        if pass.epoch != self.epoch {
            return;
        }
        match (self.state, outcome) {
            (State::Closed { .. }, Outcome::Success) => self.state = State::default(),
            (State::Closed { failures }, Outcome::Failure) => {
                let failures = failures.saturating_add(1);
                self.state = State::Closed { failures };
                if failures >= FAILURES_TO_OPEN {
                    self.open(now, chance);
                }
            }
            (State::HalfOpen { .. }, Outcome::Success) => {
                self.opened = 0;
                self.become_state(State::default());
            }
            (State::HalfOpen { .. }, Outcome::Failure) => self.open(now, chance),
            // The next request probes.
            (State::HalfOpen { .. }, Outcome::Unknown) => {
                self.become_state(State::HalfOpen { probing: false });
            }
            (State::Open { .. }, _) | (State::Closed { .. }, Outcome::Unknown) => {}
        }
    }

    /// True if it is as a new one is.
    pub fn is_pristine(&self) -> bool {
        matches!(self.state, State::Closed { failures: 0 })
    }

    /// What it is at `now`. One whose time is over waits for a probe.
    pub fn state(&self, now: u64) -> CircuitState {
        match self.state {
            State::Closed { .. } => CircuitState::Closed,
            State::Open { until } if now < until => CircuitState::Open,
            State::Open { .. } | State::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// Failures in a row while closed.
    pub fn failures(&self) -> u32 {
        match self.state {
            State::Closed { failures } => failures,
            State::Open { .. } | State::HalfOpen { .. } => FAILURES_TO_OPEN,
        }
    }

    fn open(&mut self, now: u64, chance: f64) {
        let doubled = 1_u32.checked_shl(self.opened).unwrap_or(u32::MAX);
        let time = OPEN_MIN.saturating_mul(doubled).min(OPEN_MAX);
        let time = time.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0));
        self.opened = self.opened.saturating_add(1);
        self.become_state(State::Open {
            until: now.saturating_add(millis(time)),
        });
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// A circuit as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CircuitReport {
    /// Scheme, host and port.
    pub destination: String,
    /// Whether requests go there.
    #[schema(inline = false)]
    pub state: CircuitState,
    /// Failures since the last success.
    pub failures: u32,
    /// In so many milliseconds it may be tried again; not there unless the circuit is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_after_millis: Option<u64>,
}

/// Where the circuits of a host are.
pub trait Circuits: Send + Sync + 'static {
    /// Those of `tenant` that are not as new, by destination.
    fn of_tenant(&self, tenant: &TenantId) -> Vec<CircuitReport>;

    /// How many of each tenant are in each state. Closed ones are not counted.
    fn counts(&self) -> Vec<(TenantId, CircuitState, usize)>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: u64 = 90_000;

    /// Lets `circuit` see one failure at `now`.
    fn fail(circuit: &mut Circuit, now: u64) {
        let pass = circuit.admit(now).unwrap();
        circuit.report(pass, Outcome::Failure, now, 0.0);
    }

    fn opened(now: u64) -> Circuit {
        let mut circuit = Circuit::default();
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&mut circuit, now));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            (1..FAILURES_TO_OPEN).for_each(|_| fail(&mut circuit, 0));
            let pass = circuit.admit(0).unwrap();
            circuit.report(pass, Outcome::Success, 0, 0.0);
        }
        assert!(circuit.is_pristine());
        let circuit = opened(5);
        assert_eq!(circuit.state(5), CircuitState::Open);
        let after_millis = Some(1_000);
        assert_eq!(circuit.look(5), Err(Refused { after_millis }));
    }

    #[test]
    fn one_probe_goes_out_and_closes_it_or_opens_it_for_longer() {
        let mut circuit = opened(0);
        let mut now = 0;
        for expected in [
            1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
        ] {
            assert_eq!(
                circuit.look(now),
                Err(Refused {
                    after_millis: Some(expected)
                })
            );
            now += expected;
            assert_eq!(circuit.state(now), CircuitState::HalfOpen);
            let probe = circuit.admit(now).unwrap();
            assert_eq!(circuit.admit(now), Err(Refused { after_millis: None }));
            circuit.report(probe, Outcome::Failure, now, 0.0);
        }
        now += 60_000;
        let probe = circuit.admit(now).unwrap();
        circuit.report(probe, Outcome::Success, now, 0.0);
        assert!(circuit.is_pristine());
        // It begins anew with the shortest time.
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&mut circuit, now));
        let after_millis = Some(1_000);
        assert_eq!(circuit.look(now), Err(Refused { after_millis }));
    }

    #[test]
    fn a_probe_that_tells_nothing_makes_room_for_the_next() {
        let mut circuit = opened(0);
        let probe = circuit.admit(1_000).unwrap();
        circuit.report(probe, Outcome::Unknown, 1_000, 0.0);
        let probe = circuit.admit(1_000).unwrap();
        circuit.report(probe, Outcome::Success, 1_000, 0.0);
        assert_eq!(circuit.state(1_000), CircuitState::Closed);
    }

    #[test]
    fn what_was_let_through_before_counts_no_more() {
        let mut circuit = Circuit::default();
        let mut late: Vec<Pass> = (0..4).map(|_| circuit.admit(0).unwrap()).collect();
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&mut circuit, 0));
        circuit.report(late.pop().unwrap(), Outcome::Success, 1, 0.0);
        circuit.report(late.pop().unwrap(), Outcome::Failure, 900, 0.0);
        assert_eq!(
            circuit.look(900),
            Err(Refused {
                after_millis: Some(100)
            })
        );
        let probe = circuit.admit(1_000).unwrap();
        circuit.report(late.pop().unwrap(), Outcome::Success, 1_000, 0.0);
        assert_eq!(circuit.state(1_000), CircuitState::HalfOpen);
        circuit.report(probe, Outcome::Success, 1_000, 0.0);
        circuit.report(late.pop().unwrap(), Outcome::Failure, 1_000, 0.0);
        assert!(circuit.is_pristine());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        /// What becomes of one that is under way.
        Report(usize, u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<(Step, f64)>> {
        let step = prop_oneof![
            3 => Just(Step::Admit),
            4 => (any::<usize>(), 0_u8..8).prop_map(|(which, outcome)| Step::Report(which, outcome)),
            1 => (0..2 * MOST).prop_map(Step::Wait),
        ];
        proptest::collection::vec((step, 0.0..1.0), 1..400)
    }

    proptest! {
        #[test]
        fn whatever_happens_it_opens_for_a_reason_probes_alone_and_ends(steps in steps()) {
            let mut circuit = Circuit::default();
            let mut under_way: Vec<(Pass, CircuitState)> = Vec::new();
            let (mut now, mut row) = (0_u64, 0_u32);
            for (step, chance) in steps {
                let before = circuit.state(now);
                match step {
                    Step::Wait(time) => now += time,
                    Step::Admit => match circuit.admit(now) {
                        Ok(pass) => under_way.push((pass, before)),
                        Err(refused) => {
                            prop_assert_ne!(before, CircuitState::Closed);
                            // Never for longer than the bound, and where no time is named a probe is out.
                            match refused.after_millis {
                                Some(after) => prop_assert!((1..=MOST).contains(&after)),
                                None => prop_assert!(under_way.iter().any(|(pass, _)| pass.epoch == circuit.epoch)),
                            }
                        }
                    },
                    Step::Report(..) if under_way.is_empty() => {}
                    Step::Report(which, outcome) => {
                        let (pass, at) = under_way.swap_remove(which % under_way.len());
                        let outcome = match outcome {
                            0 => Outcome::Success,
                            1 => Outcome::Unknown,
                            _ => Outcome::Failure,
                        };
                        let counts = pass.epoch == circuit.epoch;
                        row = match outcome {
                            Outcome::Failure if counts => row + 1,
                            Outcome::Success if counts => 0,
                            _ => row,
                        };
                        circuit.report(pass, outcome, now, chance);
                        let after = circuit.state(now);
                        if !counts {
                            prop_assert_eq!(before, after);
                        }
                        if before == CircuitState::Closed && after == CircuitState::Open {
                            prop_assert!(row >= FAILURES_TO_OPEN);
                        }
                        if before == CircuitState::HalfOpen && after == CircuitState::Closed {
                            prop_assert!(counts && at != CircuitState::Closed && outcome == Outcome::Success);
                        }
                    }
                }
                let probes = under_way.iter().filter(|(pass, at)| {
                    *at != CircuitState::Closed && pass.epoch == circuit.epoch
                });
                prop_assert!(probes.count() <= 1);
            }
            // Time and one success always close it.
            for (pass, _) in under_way {
                circuit.report(pass, Outcome::Unknown, now, 0.5);
            }
            let pass = circuit.admit(now + MOST).unwrap();
            circuit.report(pass, Outcome::Success, now + MOST, 0.5);
            prop_assert!(circuit.is_pristine());
        }
    }
}
