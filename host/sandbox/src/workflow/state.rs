//! The host's side of one workflow instance. Small: it lives as long as the run does.

use std::{sync::Arc, time::Duration};

use rand_pcg::{Pcg64, rand_core::Rng as _};
use tenterhook_domain::{Code, limit::Limits};
use tenterhook_workflow::guest::Moment;

use crate::{
    capability::Shared,
    fault::Refusal,
    guest_log::{GuestLog, Subject},
    meter::Meter,
    owner::Owner,
    processor,
};

/// Most bytes of commands of one activation. Temporal takes no more than 4 MiB in one answer.
const COMMAND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest text that a workflow may say of itself, in bytes.
const DETAILS_BYTES_MAX: usize = 20_000;
/// Keeps the randomness of `wasi:random` apart from what a guest makes of Temporal's seed itself.
const RANDOM_STREAM: u128 = 0x7465_6e74_6572_686f_6f6b_2e72_616e_646f;

/// Randomness that repeats: every value follows from Temporal's seed.
#[derive(Clone)]
pub(crate) struct Randomness {
    /// The seed in force.
    seed: u64,
    /// The first seed of the run: language runtimes ask once for the seed of their hash maps, and when they ask
    /// may differ between a run and its replay.
    first_seed: u64,
    values: Pcg64,
}

impl Randomness {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            first_seed: seed,
            values: Pcg64::new(u128::from(seed), RANDOM_STREAM),
        }
    }

    fn reseed(&mut self, seed: u64) {
        if seed != self.seed {
            self.seed = seed;
            self.values = Pcg64::new(u128::from(seed), RANDOM_STREAM);
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.values.next_u64()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.values.fill_bytes(&mut bytes);
        bytes
    }

    /// The same pair whenever it is asked for.
    pub(crate) fn hash_seed(&self) -> (u64, u64) {
        let mut values = Pcg64::new(u128::from(self.first_seed), !RANDOM_STREAM);
        (values.next_u64(), values.next_u64())
    }
}

/// What host functions of a workflow instance work on.
pub(crate) struct WorkflowState {
    pub(crate) meter: Meter,
    pub(crate) moment: Moment,
    pub(crate) randomness: Randomness,
    pub(crate) details: Option<String>,
    pub(crate) log: GuestLog,
    /// Processor time that the thread had taken when the activation began. One activation stays on one thread.
    began: Duration,
    limits: Arc<Limits>,
    commands: Vec<Vec<u8>>,
    commands_pushed: u64,
    command_bytes: usize,
}

impl WorkflowState {
    pub(crate) fn new(
        limits: Arc<Limits>,
        owner: Arc<Owner>,
        shared: &Shared,
        subject: Subject,
        moment: Moment,
    ) -> Self {
        let mut log = GuestLog::new(owner, subject, &limits, shared.tally.clone());
        log.begin(moment.replaying);
        Self {
            meter: Meter::new(limits.clone(), shared.memory.nothing()),
            moment,
            randomness: Randomness::new(moment.seed),
            details: None,
            log,
            began: processor::time_taken(),
            limits,
            commands: Vec::new(),
            commands_pushed: 0,
            command_bytes: 0,
        }
    }

    /// Begins an activation at `moment`; answers the limits it runs under.
    pub(crate) fn begin(&mut self, moment: Moment) -> Arc<Limits> {
        self.moment = moment;
        self.began = processor::time_taken();
        self.randomness.reseed(moment.seed);
        self.log.begin(moment.replaying);
        self.commands_pushed = 0;
        self.command_bytes = 0;
        self.limits.clone()
    }

    /// How much longer the activation under way may take, in milliseconds of processor time, rounded up.
    pub(crate) fn millis_left(&self) -> u64 {
        let taken = processor::time_taken().saturating_sub(self.began);
        let taken = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
        self.limits.activation_millis.saturating_sub(taken)
    }

    pub(crate) fn take_commands(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.commands)
    }

    /// Keeps a command for [`WorkflowState::take_commands`].
    pub(crate) fn push_command(&mut self, command: Vec<u8>) -> Result<(), Refusal> {
        let limit = self.limits.activation_commands;
        if self.commands_pushed >= limit {
            return Err(Refusal::new(
                Code::GuestTooManyCommands,
                format!(
                    "the workflow gave more than {limit} commands in one activation (limit activation_commands): start \
                     fewer at once, or have an operator raise activation_commands in the plugin's grants"
                ),
            ));
        }
        self.command_bytes = self.command_bytes.saturating_add(command.len());
        if self.command_bytes > COMMAND_BYTES_MAX {
            return Err(Refusal::new(
                Code::GuestPayloadTooLarge,
                format!(
                    "the workflow gave commands of more than {COMMAND_BYTES_MAX} bytes in one activation: pass \
                     references to large values instead of the values"
                ),
            ));
        }
        self.commands_pushed += 1;
        self.commands.push(command);
        Ok(())
    }

    pub(crate) fn set_details(&mut self, details: String) -> Result<(), Refusal> {
        if details.len() > DETAILS_BYTES_MAX {
            return Err(Refusal::new(
                Code::GuestPayloadTooLarge,
                format!(
                    "the workflow's current details have {} bytes, {DETAILS_BYTES_MAX} are allowed",
                    details.len()
                ),
            ));
        }
        self.details = (!details.is_empty()).then_some(details);
        Ok(())
    }
}
