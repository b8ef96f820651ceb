//! An instance with its routines, and what it does in one activation before the firewall looks at it.

use prost::Message as _;
use temporalio_protos::coresdk::{
    workflow_activation::{WorkflowActivation, workflow_activation_job::Variant as Job},
    workflow_commands::WorkflowCommand,
};
use tenterhook_domain::Code;

use crate::{
    failure::TaskFailure,
    guest::{Init, Instance, Module, Moment},
    job::{self, Expected},
    routine::{Ended, Routines},
};

/// The instance of a run, and what it has under way.
pub(crate) struct Live {
    pub(crate) instance: Box<dyn Instance>,
    routines: Routines,
}

/// What a guest did in one activation, as it said it.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// Answers to queries and updates.
    pub(crate) responses: Vec<WorkflowCommand>,
    /// The commands that it pushed, encoded.
    pub(crate) pushed: Vec<Vec<u8>>,
    /// How the workflow ended, if it did.
    pub(crate) ended: Option<Ended>,
}

impl Live {
    /// Makes an instance of `module`.
    pub(crate) fn make(
        module: &dyn Module,
        init: &Init,
        moment: Moment,
        payload_bytes: u64,
    ) -> Result<Self, TaskFailure> {
        let made = module.instantiate(init, moment);
        let instance = made.map_err(|fault| TaskFailure::of_fault(fault, payload_bytes))?;
        Ok(Self {
            instance,
            routines: Routines::default(),
        })
    }

    /// Takes the guest through `activation`, whose jobs are its own to see.
    pub(crate) fn act(
        &mut self,
        activation: &WorkflowActivation,
        moment: Moment,
        payload_bytes: u64,
    ) -> Result<Deeds, TaskFailure> {
        let expected: Vec<Expected> = jobs(activation).map(Expected::of).collect();
        let only_queries = expected.iter().all(Expected::is_query);
        let results = self
            .instance
            .activate(&activation.encode_to_vec(), moment)
            .map_err(|fault| TaskFailure::of_fault(fault, payload_bytes))?;
        let mut responses = job::responses(expected, results, &mut self.routines, payload_bytes)?;
        if only_queries {
            no_more(&self.instance.take_commands())?;
            return Ok(Deeds {
                responses,
                ..Deeds::default()
            });
        }
        let driven = self.routines.drive(self.instance.as_mut(), payload_bytes)?;
        responses.extend(driven.responses);
        Ok(Deeds {
            responses,
            pushed: self.instance.take_commands(),
            ended: driven.ended,
        })
    }
}

/// The jobs of `activation`.
pub(crate) fn jobs(activation: &WorkflowActivation) -> impl Iterator<Item = &Job> {
    activation
        .jobs
        .iter()
        .filter_map(|job| job.variant.as_ref())
}

/// A query reads. What it pushes would be in no history, and replay would miss it.
fn no_more(pushed: &[Vec<u8>]) -> Result<(), TaskFailure> {
    if pushed.is_empty() {
        return Ok(());
    }
    Err(TaskFailure::new(
        Code::CommandRefused,
        format!(
            "a query handler pushed {} commands: a query may only read",
            pushed.len()
        ),
    ))
}
