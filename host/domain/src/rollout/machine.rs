//! What each move does to a line, and when it is refused.

use std::collections::BTreeMap;

use super::{
    BAKE_SECONDS_MAX, Guard, Line, Move, Moved, RampPlan, Rollout, SAMPLE_MIN_MAX, STEPS_MAX,
};
use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    release::ReleaseState,
};

type States = BTreeMap<Digest, ReleaseState>;

pub(super) fn apply(line: &mut Line, states: &States, r#move: Move, now: u64) -> Result<Moved> {
    let mut change = Change {
        line: line.clone(),
        states,
        moved: Moved::default(),
    };
    change.make(r#move, now)?;
    *line = change.line;
    Ok(change.moved)
}

/// A move half-way: nothing of it shows before it is whole.
struct Change<'a> {
    line: Line,
    states: &'a States,
    moved: Moved,
}

impl Change<'_> {
    fn make(&mut self, r#move: Move, now: u64) -> Result<()> {
        match r#move {
            Move::Sound(digest) => self.enter(digest, ReleaseState::Checked),
            Move::Refuse(digest) => self.enter(digest, ReleaseState::Refused),
            Move::Admit(digest) => self.admit(digest),
            Move::Promote(digest) => self.promote(digest),
            Move::Ramp(plan) => self.ramp(plan, now),
            Move::Advance => self.advance(now),
            Move::Pause => self.set_paused(true, now),
            Move::Resume => self.set_paused(false, now),
            Move::Halt { why } => self.halt(why),
            Move::Observe(comparison) => {
                self.running()?.seen = Some(comparison);
                Ok(())
            }
            Move::RollBack => self.roll_back(),
            Move::Retire(digest) => self.retire(digest),
        }
    }

    fn admit(&mut self, digest: Digest) -> Result<()> {
        let state = self.state(digest)?;
        // A ramping release may become ready too, but not by its checks.
        if state != ReleaseState::Checked {
            return Err(conflict(format!(
                "release {digest} is {} and does not wait for the end of its checks",
                state.as_str()
            )));
        }
        self.enter(digest, ReleaseState::Ready)?;
        if self.line.current.is_none() {
            self.line.current = Some(digest);
            self.enter(digest, ReleaseState::Current)?;
        }
        Ok(())
    }

    fn promote(&mut self, digest: Digest) -> Result<()> {
        self.require_ready(digest)?;
        if self.line.current == Some(digest) {
            return Ok(());
        }
        if let Some(rollout) = self.under_way()
            && rollout.plan.digest != digest
        {
            return Err(conflict(format!(
                "release {} is ramping: stop or roll back its ramp first",
                rollout.plan.digest
            )));
        }
        self.line.rollout = None;
        self.make_current(digest, "promote")
    }

    fn make_current(&mut self, digest: Digest, action: &'static str) -> Result<()> {
        if let Some(old) = self.line.current.replace(digest) {
            self.line.previous = Some(old);
            self.enter(old, ReleaseState::Draining)?;
        }
        self.enter(digest, ReleaseState::Current)?;
        let from = self
            .line
            .previous
            .map_or_else(String::new, |old| old.to_string());
        self.note(action, digest, format!("{from} → {digest}"));
        Ok(())
    }

    fn ramp(&mut self, plan: RampPlan, now: u64) -> Result<()> {
        check_plan(&plan)?;
        self.require_ready(plan.digest)?;
        if self.line.current.is_none() || self.line.current == Some(plan.digest) {
            return Err(conflict(format!(
                "release {} cannot ramp: it is the current one, or there is none beside it",
                plan.digest
            )));
        }
        if let Some(rollout) = self.under_way()
            && rollout.plan.digest != plan.digest
        {
            return Err(conflict(format!(
                "release {} is ramping: stop or roll back its ramp first",
                rollout.plan.digest
            )));
        }
        let (digest, first) = (plan.digest, plan.steps[0].percentage);
        self.enter(digest, ReleaseState::Ramping)?;
        self.line.rollout = Some(Rollout {
            plan,
            step: 0,
            began_at: now,
            step_at: now,
            paused: false,
            halted: None,
            seen: None,
        });
        self.note("ramp", digest, format!("0 % → {first} %"));
        Ok(())
    }

    fn advance(&mut self, now: u64) -> Result<()> {
        let rollout = self.running()?;
        let (digest, before) = (rollout.plan.digest, rollout.percentage());
        if rollout.step + 1 < rollout.plan.steps.len() {
            rollout.step += 1;
            rollout.step_at = now;
            rollout.paused = false;
            let after = rollout.percentage();
            self.note("advance", digest, format!("{before} % → {after} %"));
            return Ok(());
        }
        self.line.rollout = None;
        self.make_current(digest, "promote")
    }

    fn set_paused(&mut self, paused: bool, now: u64) -> Result<()> {
        let rollout = self.running()?;
        let (digest, percentage) = (rollout.plan.digest, rollout.percentage());
        if rollout.paused == paused {
            return Ok(());
        }
        rollout.paused = paused;
        // What was baked before a pause is looked at anew after it.
        rollout.step_at = now;
        let action = if paused { "pause" } else { "resume" };
        self.note(action, digest, format!("at {percentage} %"));
        Ok(())
    }

    fn halt(&mut self, why: String) -> Result<()> {
        let rollout = self.running()?;
        let (digest, before) = (rollout.plan.digest, rollout.percentage());
        rollout.halted = Some(why.clone());
        self.enter(digest, ReleaseState::Draining)?;
        self.note("halt", digest, format!("{before} % → 0 %: {why}"));
        Ok(())
    }

    fn roll_back(&mut self) -> Result<()> {
        if self.under_way().is_some() {
            return self.halt("rolled back".to_owned());
        }
        let Some(previous) = self.line.previous else {
            return Err(conflict(
                "there is nothing to go back to: the plugin had one release only".to_owned(),
            ));
        };
        self.require_ready(previous)?;
        self.line.rollout = None;
        self.make_current(previous, "roll-back")
    }

    fn retire(&mut self, digest: Digest) -> Result<()> {
        if self.state(digest)? == ReleaseState::Retired {
            return Ok(());
        }
        self.enter(digest, ReleaseState::Retired)?;
        if self.line.previous == Some(digest) {
            self.line.previous = None;
        }
        Ok(())
    }

    /// The ramp that sends work to its release, or that is paused.
    fn under_way(&self) -> Option<&Rollout> {
        self.line
            .rollout
            .as_ref()
            .filter(|rollout| rollout.halted.is_none())
    }

    fn running(&mut self) -> Result<&mut Rollout> {
        self.line
            .rollout
            .as_mut()
            .filter(|rollout| rollout.halted.is_none())
            .ok_or_else(|| Error::new(Code::RolloutNotRunning, "the plugin has no ramp under way"))
    }

    fn state(&self, digest: Digest) -> Result<ReleaseState> {
        let changed = self.moved.states.get(&digest);
        changed
            .or_else(|| self.states.get(&digest))
            .copied()
            .ok_or_else(|| {
                Error::new(
                    Code::ReleaseNotFound,
                    format!("the plugin has no release {digest}"),
                )
            })
    }

    fn require_ready(&self, digest: Digest) -> Result<()> {
        let state = self.state(digest)?;
        if state.may_take_traffic() {
            return Ok(());
        }
        Err(conflict(format!(
            "release {digest} is {}: only one that passed its checks and is not retired can take executions",
            state.as_str()
        )))
    }

    fn enter(&mut self, digest: Digest, state: ReleaseState) -> Result<()> {
        let before = self.state(digest)?;
        if before == state {
            return Ok(());
        }
        if !before.next().contains(&state) {
            return Err(conflict(format!(
                "release {digest} is {} and cannot become {}",
                before.as_str(),
                state.as_str()
            )));
        }
        self.moved.states.insert(digest, state);
        let detail = format!("{} → {}", before.as_str(), state.as_str());
        self.note("state", digest, detail);
        Ok(())
    }

    fn note(&mut self, action: &'static str, digest: Digest, detail: String) {
        self.moved.audit.push((action, Some(digest), detail));
    }
}

fn conflict(detail: String) -> Error {
    Error::new(Code::ReleaseStateConflict, detail)
}

impl RampPlan {
    /// Holds the steps and the guard against their bounds.
    ///
    /// # Errors
    /// `rollout-invalid`, naming what is out of them.
    pub fn check(&self) -> Result<()> {
        check_plan(self)
    }
}

fn check_plan(plan: &RampPlan) -> Result<()> {
    let refused = |detail: String| Err(Error::new(Code::RolloutInvalid, detail));
    if plan.steps.is_empty() || plan.steps.len() > STEPS_MAX {
        return refused(format!("a ramp has 1 to {STEPS_MAX} steps"));
    }
    if let Some(step) = plan.steps.iter().find(|step| step.percentage > 100) {
        return refused(format!(
            "a step cannot have {} %: use 0 to 100",
            step.percentage
        ));
    }
    if plan
        .steps
        .windows(2)
        .any(|pair| pair[0].percentage > pair[1].percentage)
    {
        return refused("the steps of a ramp cannot go down".to_owned());
    }
    let lasts = plan.steps.iter().map(|step| step.bake_seconds);
    if let Some(seconds) = lasts.max().filter(|&seconds| seconds > BAKE_SECONDS_MAX) {
        return refused(format!(
            "a step cannot last {seconds} s: use 0 to {BAKE_SECONDS_MAX}"
        ));
    }
    if plan.guard.sample_min > SAMPLE_MIN_MAX {
        return refused(format!(
            "sample_min cannot be {}: use 0 to {SAMPLE_MIN_MAX}",
            plan.guard.sample_min
        ));
    }
    check_guard(&plan.guard)
}

fn check_guard(guard: &Guard) -> Result<()> {
    for (field, value, most) in [
        ("failure_points_max", guard.failure_points_max, 100.0),
        (
            "task_failure_points_max",
            guard.task_failure_points_max,
            100.0,
        ),
        ("p99_ratio_max", guard.p99_ratio_max, 1_000.0),
    ] {
        // Not a number is refused too.
        if !(0.0..=most).contains(&value) {
            return Err(Error::new(
                Code::RolloutInvalid,
                format!("{field} cannot be {value}: use 0 to {most}"),
            ));
        }
    }
    Ok(())
}
