//! The firewall: every command a guest makes is checked and completed before Core sees it.
//!
//! Queue and namespace are the lane's, ids and types the scope's, headers are signed, names of the host
//! are refused. What a guest says in good faith is completed; what leaves its scope or takes the host's
//! names fails the task, with the command and the rule in the message.

mod activity;
mod attribute;
mod execution;

use std::collections::HashMap;

use temporalio_protos::{
    coresdk::workflow_commands::{
        ContinueAsNewWorkflowExecution, WorkflowCommand, workflow_command::Variant as Command,
    },
    temporal::api::common::v1::{Payload, Priority},
};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, TypeName,
    context::{CONTEXT_LIFE_MILLIS, Context, ContextKeys, HEADER},
    policy::UpgradeOn,
};

use crate::{
    failure::{TaskFailure, read},
    identity::RunIdentity,
    payload,
    reach::Reach,
    reserved,
};

/// Temporal's priority key of work that says nothing; lower keys come first.
const PRIORITY_KEY_DEFAULT: i32 = 3;

/// Checks and completes the commands of one run.
pub(crate) struct Firewall<'a> {
    identity: &'a RunIdentity,
    keys: &'a ContextKeys,
    reach: &'a Reach,
    payload_bytes: u64,
    now_millis: u64,
}

/// Why a command is not carried.
#[derive(Debug)]
enum Refusal {
    /// It leaves the scope, takes a name of the host's, or lacks what it needs.
    Refused(String),
    /// The host carries no such command.
    Unsupported(String),
    /// The host itself failed.
    Internal(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.code() {
            Code::Internal => Self::Internal(error.detail().to_owned()),
            _ => Self::Refused(error.detail().to_owned()),
        }
    }
}

fn refused<T>(rule: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Refused(rule.into()))
}

impl<'a> Firewall<'a> {
    /// For the run `identity` with this `reach`, signing with `keys`, with payloads of `payload_bytes` at most.
    /// `now_millis` is the workflow's time.
    pub(crate) fn new(
        identity: &'a RunIdentity,
        keys: &'a ContextKeys,
        reach: &'a Reach,
        payload_bytes: u64,
        now_millis: u64,
    ) -> Self {
        Self {
            identity,
            keys,
            reach,
            payload_bytes,
            now_millis,
        }
    }

    /// Reads, checks and completes a pushed command. How large all are together was looked at before.
    pub(crate) fn admit(&self, bytes: &[u8]) -> Result<WorkflowCommand, TaskFailure> {
        let mut command: WorkflowCommand = read("a command", bytes)?;
        let Some(variant) = &mut command.variant else {
            return Err(TaskFailure::malformed(
                "a command",
                "it is of no known kind",
            ));
        };
        let name = name(variant);
        self.complete(variant)
            .map_err(|refusal| explain(name, refusal))?;
        payload::check(&command, name, bytes.len(), self.payload_bytes)?;
        Ok(command)
    }

    /// Reads, checks and completes the continue-as-new that ends a run of `workflow_type`.
    pub(crate) fn continue_as_new(
        &self,
        bytes: &[u8],
        workflow_type: &str,
        upgrade_on: UpgradeOn,
    ) -> Result<WorkflowCommand, TaskFailure> {
        const NAME: &str = "ContinueAsNewWorkflowExecution";
        let mut request: ContinueAsNewWorkflowExecution = read("a continue-as-new", bytes)?;
        self.complete_continuation(&mut request, workflow_type, upgrade_on)
            .map_err(|refusal| explain(NAME, refusal))?;
        let command = Command::ContinueAsNewWorkflowExecution(request).into();
        payload::check(&command, NAME, bytes.len(), self.payload_bytes)?;
        Ok(command)
    }

    fn complete(&self, command: &mut Command) -> Result<(), Refusal> {
        match command {
            Command::ScheduleActivity(it) => self.complete_activity(it),
            Command::ScheduleLocalActivity(it) => self.complete_local_activity(it),
            Command::StartChildWorkflowExecution(it) => self.complete_child(it),
            Command::SignalExternalWorkflowExecution(it) => self.complete_signal(it),
            Command::RequestCancelExternalWorkflowExecution(it) => self.complete_cancel(it),
            Command::UpsertWorkflowSearchAttributes(it) => {
                attribute::check(it.search_attributes.as_ref())?;
                attribute::spell_out_unset(it.search_attributes.as_mut());
                Ok(())
            }
            Command::ModifyWorkflowProperties(it) => {
                attribute::check_memo(it.upserted_memo.iter().flat_map(|memo| memo.fields.keys()))
            }
            Command::SetPatchMarker(it) if reserved::is_prefixed(&it.patch_id) => refused(format!(
                "patch id {:?} starts with {:?}, which is the host's: choose another",
                it.patch_id,
                reserved::PREFIX
            )),
            Command::RespondToQuery(_)
            | Command::UpdateResponse(_)
            | Command::CompleteWorkflowExecution(_)
            | Command::FailWorkflowExecution(_)
            | Command::CancelWorkflowExecution(_)
            | Command::ContinueAsNewWorkflowExecution(_) => {
                refused("answers and ends are returned by a routine or a job, never pushed")
            }
            Command::ScheduleNexusOperation(_) | Command::RequestCancelNexusOperation(_) => {
                Err(Refusal::Unsupported(
                    "Nexus operations are not carried: call an activity or a child workflow".into(),
                ))
            }
            Command::StartTimer(_)
            | Command::CancelTimer(_)
            | Command::RequestCancelActivity(_)
            | Command::RequestCancelLocalActivity(_)
            | Command::CancelChildWorkflowExecution(_)
            | Command::CancelSignalWorkflow(_)
            | Command::SetPatchMarker(_) => Ok(()),
        }
    }

    /// The type that the guest means by `name`: of its own plugin, or of one that it may deal with.
    fn type_name(&self, name: &str) -> Result<TypeName, Refusal> {
        let name = TypeName::of_guest(&self.identity.plugin, name)?;
        self.reach.check(&self.identity.plugin, &name.plugin)?;
        Ok(name)
    }

    /// The release that work of `plugin` must run on: this run's own for its own plugin, else whatever is
    /// current there.
    fn digest_for(&self, plugin: &PluginName) -> Option<Digest> {
        (*plugin == self.identity.plugin).then_some(self.identity.digest)
    }

    /// Puts the signed context into `headers`.
    fn sign(
        &self,
        headers: &mut HashMap<String, Payload>,
        plugin: &PluginName,
        workflow_id: &str,
        digest: Option<Digest>,
    ) -> Result<(), Refusal> {
        check_headers(headers)?;
        let token = self.keys.sign(&Context {
            scope: self.identity.scope.clone(),
            plugin: plugin.clone(),
            workflow_id: workflow_id.to_owned(),
            digest,
            begins_by: Some(self.now_millis.saturating_add(CONTEXT_LIFE_MILLIS)),
        })?;
        headers.insert(HEADER.to_owned(), payload::of_text(&token));
        Ok(())
    }

    /// Keeps a guest from its lane's front and from other tenants' shares. The weight is the tenant's of now: the server
    /// would pass on the one that the workflow was started with.
    fn tame(&self, priority: &mut Option<Priority>) {
        let priority = priority.get_or_insert_default();
        if (1..PRIORITY_KEY_DEFAULT).contains(&priority.priority_key) {
            priority.priority_key = PRIORITY_KEY_DEFAULT;
        }
        priority.fairness_key = self.identity.scope.tenant.to_string();
        priority.fairness_weight = f32::from(self.identity.weight);
    }
}

fn check_headers(headers: &HashMap<String, Payload>) -> Result<(), Refusal> {
    match headers.keys().find(|name| reserved::is_header(name)) {
        None => Ok(()),
        Some(name) => refused(format!(
            "header {name:?} has a name of the host's: choose one that does not start with \"tenterhook\""
        )),
    }
}

fn explain(name: &str, refusal: Refusal) -> TaskFailure {
    match refusal {
        Refusal::Refused(rule) => TaskFailure::new(
            Code::CommandRefused,
            format!("command {name} is refused: {rule}"),
        ),
        Refusal::Unsupported(rule) => TaskFailure::new(
            Code::CommandUnsupported,
            format!("command {name} is not supported: {rule}"),
        ),
        Refusal::Internal(what) => TaskFailure::new(
            Code::Internal,
            format!("command {name} could not be completed: {what}"),
        ),
    }
}

/// The command's name in Temporal's protocol.
pub(crate) fn name(command: &Command) -> &'static str {
    match command {
        Command::StartTimer(_) => "StartTimer",
        Command::ScheduleActivity(_) => "ScheduleActivity",
        Command::RespondToQuery(_) => "RespondToQuery",
        Command::RequestCancelActivity(_) => "RequestCancelActivity",
        Command::CancelTimer(_) => "CancelTimer",
        Command::CompleteWorkflowExecution(_) => "CompleteWorkflowExecution",
        Command::FailWorkflowExecution(_) => "FailWorkflowExecution",
        Command::ContinueAsNewWorkflowExecution(_) => "ContinueAsNewWorkflowExecution",
        Command::CancelWorkflowExecution(_) => "CancelWorkflowExecution",
        Command::SetPatchMarker(_) => "SetPatchMarker",
        Command::StartChildWorkflowExecution(_) => "StartChildWorkflowExecution",
        Command::CancelChildWorkflowExecution(_) => "CancelChildWorkflowExecution",
        Command::RequestCancelExternalWorkflowExecution(_) => {
            "RequestCancelExternalWorkflowExecution"
        }
        Command::SignalExternalWorkflowExecution(_) => "SignalExternalWorkflowExecution",
        Command::CancelSignalWorkflow(_) => "CancelSignalWorkflow",
        Command::ScheduleLocalActivity(_) => "ScheduleLocalActivity",
        Command::RequestCancelLocalActivity(_) => "RequestCancelLocalActivity",
        Command::UpsertWorkflowSearchAttributes(_) => "UpsertWorkflowSearchAttributes",
        Command::ModifyWorkflowProperties(_) => "ModifyWorkflowProperties",
        Command::UpdateResponse(_) => "UpdateResponse",
        Command::ScheduleNexusOperation(_) => "ScheduleNexusOperation",
        Command::RequestCancelNexusOperation(_) => "RequestCancelNexusOperation",
    }
}
