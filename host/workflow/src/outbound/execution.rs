//! Other executions: children, signals and cancels to them, and the run that continues this one.

use temporalio_protos::{
    coresdk::{
        child_workflow::ParentClosePolicy,
        common::{NamespacedWorkflowExecution, VersioningIntent},
        workflow_commands::{
            ContinueAsNewWorkflowExecution, RequestCancelExternalWorkflowExecution,
            SignalExternalWorkflowExecution, StartChildWorkflowExecution,
            signal_external_workflow_execution::Target,
        },
    },
    temporal::api::enums::v1::{ContinueAsNewVersioningBehavior, WorkflowIdReusePolicy},
};
use tenterhook_domain::{TypeName, policy::UpgradeOn};

use super::{Firewall, Refusal, attribute, check_headers, refused};

/// Refuses a number that stands for nothing: nobody is to guess what the guest means by it.
fn known<E: TryFrom<i32>>(what: &str, number: i32) -> Result<(), Refusal> {
    match E::try_from(number) {
        Ok(_) => Ok(()),
        Err(_) => refused(format!(
            "the child's {what} is {number}, which is none of Temporal's"
        )),
    }
}

impl Firewall<'_> {
    pub(super) fn complete_child(
        &self,
        it: &mut StartChildWorkflowExecution,
    ) -> Result<(), Refusal> {
        let name = self.type_name(&it.workflow_type)?;
        let workflow_id = self.identity.temporal_id_of(&it.workflow_id)?;
        known::<ParentClosePolicy>("parent close policy", it.parent_close_policy)?;
        known::<WorkflowIdReusePolicy>("policy for its id", it.workflow_id_reuse_policy)?;
        attribute::check(it.search_attributes.as_ref())?;
        attribute::check_memo(it.memo.keys())?;
        let digest = self.digest_for(&name.plugin);
        self.sign(&mut it.headers, &name.plugin, &workflow_id, digest)?;
        attribute::mark(
            it.search_attributes.get_or_insert_default(),
            &self.identity.scope,
            &name.plugin,
        );
        it.workflow_type = self.identity.spell(&name);
        it.workflow_id = workflow_id;
        it.namespace.clone_from(&self.identity.namespace);
        it.task_queue.clone_from(&self.identity.task_queue);
        // Worker versions are the host's own affair: a guest could only route its child to nowhere.
        it.versioning_intent = VersioningIntent::Unspecified.into();
        it.versioning_override = None;
        self.tame(&mut it.priority);
        Ok(())
    }

    pub(super) fn complete_signal(
        &self,
        it: &mut SignalExternalWorkflowExecution,
    ) -> Result<(), Refusal> {
        check_headers(&it.headers)?;
        match &mut it.target {
            Some(Target::WorkflowExecution(execution)) => self.own(execution),
            // Core sends this id to the server as it is, with the mark that it must be a child.
            Some(Target::ChildWorkflowId(id)) => {
                *id = self.identity.temporal_id_of(id)?;
                Ok(())
            }
            None => refused("it names no workflow"),
        }
    }

    pub(super) fn complete_cancel(
        &self,
        it: &mut RequestCancelExternalWorkflowExecution,
    ) -> Result<(), Refusal> {
        match &mut it.workflow_execution {
            Some(execution) => self.own(execution),
            None => refused("it names no workflow"),
        }
    }

    /// The run that follows keeps the execution's id and plugin. It chooses its release afresh, unless the plugin's
    /// chains stay: then it is told this run's.
    pub(super) fn complete_continuation(
        &self,
        it: &mut ContinueAsNewWorkflowExecution,
        workflow_type: &str,
        upgrade_on: UpgradeOn,
    ) -> Result<(), Refusal> {
        if it.workflow_type.is_empty() {
            workflow_type.clone_into(&mut it.workflow_type);
        } else {
            let name = TypeName::of_guest(&self.identity.plugin, &it.workflow_type)?;
            if name.plugin != self.identity.plugin {
                return refused(format!(
                    "{:?} belongs to another plugin, and an execution stays with its own: start a child instead",
                    it.workflow_type
                ));
            }
            it.workflow_type = self.identity.spell(&name);
        }
        attribute::check(it.search_attributes.as_ref())?;
        attribute::check_memo(it.memo.keys())?;
        // Without attributes Core passes on the run's own, owner included; with some they are all there are.
        if let Some(attributes) = &mut it.search_attributes {
            attribute::mark(attributes, &self.identity.scope, &self.identity.plugin);
        }
        let id = &self.identity.temporal_id;
        let digest = (upgrade_on == UpgradeOn::Never).then_some(self.identity.digest);
        self.sign(&mut it.headers, &self.identity.plugin, id, digest)?;
        it.task_queue.clone_from(&self.identity.task_queue);
        it.versioning_intent = VersioningIntent::Unspecified.into();
        it.initial_versioning_behavior = ContinueAsNewVersioningBehavior::Unspecified.into();
        Ok(())
    }

    /// Whatever namespace the guest names, it can only mean its own.
    fn own(&self, execution: &mut NamespacedWorkflowExecution) -> Result<(), Refusal> {
        execution.workflow_id = self.identity.temporal_id_of(&execution.workflow_id)?;
        execution.namespace.clone_from(&self.identity.namespace);
        Ok(())
    }
}
