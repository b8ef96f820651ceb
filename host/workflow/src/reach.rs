//! Which plugins of its scope a run may deal with: its own, and those it is granted.
//!
//! Whose activity or child it is, a command says by its type. Whose execution a signal or a cancel goes to, only Temporal
//! knows: who sends the commands asks there first, for [`outside_targets`].

use std::{collections::BTreeSet, sync::Arc};

use temporalio_protos::coresdk::{
    workflow_commands::{
        signal_external_workflow_execution::Target, workflow_command::Variant as Command,
    },
    workflow_completion::{WorkflowActivationCompletion, workflow_activation_completion::Status},
};
use tenterhook_domain::{Code, Error, PluginName, Result, grant::Grants};

/// The policy for ids that terminates what runs under one. Temporal takes it, and calls it old.
const TERMINATE_IF_RUNNING: i32 = 4;

/// Which plugins, beside its own, a run may deal with.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Those that are granted.
    Granted(Arc<Grants>),
    /// All of its scope: where nothing leaves, and for what a history has.
    Scope,
}

impl Default for Reach {
    fn default() -> Self {
        Self::Granted(Arc::default())
    }
}

impl Reach {
    /// Whether a run of `own` may deal with `plugin`.
    ///
    /// # Errors
    /// `command-refused`, saying which grant is missing.
    pub fn check(&self, own: &PluginName, plugin: &PluginName) -> Result<()> {
        let reached = match self {
            _ if own == plugin => true,
            Self::Scope => true,
            Self::Granted(grants) => grants.reaches(plugin),
        };
        if reached {
            return Ok(());
        }
        Err(Error::new(
            Code::CommandRefused,
            format!(
                "it is for plugin {plugin}, which {own} may not deal with: an operator adds {plugin} to {own}'s grants (plugins)"
            ),
        ))
    }
}

/// The executions, as Temporal knows them, that `completion` signals, asks to cancel, or ends to put a child in their
/// place. Not those that are signalled as children: they are the run's own, and Temporal holds that they are.
pub fn outside_targets(completion: &WorkflowActivationCompletion) -> BTreeSet<String> {
    let Some(Status::Successful(success)) = &completion.status else {
        return BTreeSet::new();
    };
    let target = |command: &Option<Command>| match command {
        Some(Command::SignalExternalWorkflowExecution(it)) => match &it.target {
            Some(Target::WorkflowExecution(execution)) => Some(execution.workflow_id.clone()),
            Some(Target::ChildWorkflowId(_)) | None => None,
        },
        // Whatever runs under its id is terminated first.
        Some(Command::StartChildWorkflowExecution(it))
            if it.workflow_id_reuse_policy == TERMINATE_IF_RUNNING =>
        {
            Some(it.workflow_id.clone())
        }
        Some(Command::RequestCancelExternalWorkflowExecution(it)) => {
            let execution = it.workflow_execution.as_ref();
            execution.map(|execution| execution.workflow_id.clone())
        }
        _ => None,
    };
    let commands = success.commands.iter();
    commands
        .filter_map(|command| target(&command.variant))
        .collect()
}
