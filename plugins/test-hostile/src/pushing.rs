//! A workflow that goes beneath the SDK, and pushes commands that no author could ask for.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use temporalio_workflow::common::protos::coresdk::workflow_commands::{
    ContinueAsNewWorkflowExecution, ModifyWorkflowProperties, ScheduleActivity,
    ScheduleNexusOperation, UpsertWorkflowSearchAttributes, WorkflowCommand,
    workflow_command::Variant,
};
use temporalio_workflow::common::protos::temporal::api::common::v1::{
    Memo, Payload, SearchAttributes,
};
use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};
use tenterhook_sdk::JsonSchema;

/// The bindings of what the host gives to workflow code.
mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        unsafe_code,
        clippy::all,
        reason = "generated code"
    )]

    wit_bindgen::generate!({
        path: "../../wit",
        inline: r"
            package test:hostile;
            world pushing {
                import temporal:workflow-runtime/workflow-host@0.1.0;
            }
        ",
        world: "test:hostile/pushing",
        generate_all,
    });
}

use generated::temporal::workflow_runtime::workflow_host::push_command;

/// What is pushed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Push {
    /// A Nexus operation.
    Nexus,
    /// An activity with a context of its own making.
    Header,
    /// That the execution is another tenant's.
    Attribute,
    /// A memo of the host's.
    Memo,
    /// The end, of another plugin's type.
    End,
}

#[workflow]
#[derive(Default)]
pub(crate) struct Pushes;

#[workflow_methods]
impl Pushes {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, push: Push) -> WorkflowResult<()> {
        let command = WorkflowCommand {
            variant: Some(variant(&push)),
            ..Default::default()
        };
        push_command(&command.encode_to_vec());
        ctx.wait_condition(|_| false).await?;
        Ok(())
    }
}

/// The command, with a number that the SDK does not get to.
fn variant(push: &Push) -> Variant {
    let seq = 1_000;
    match push {
        Push::Nexus => Variant::ScheduleNexusOperation(ScheduleNexusOperation {
            seq,
            endpoint: "everywhere".to_owned(),
            service: "all".to_owned(),
            operation: "any".to_owned(),
            ..Default::default()
        }),
        Push::Header => Variant::ScheduleActivity(ScheduleActivity {
            seq,
            activity_id: seq.to_string(),
            activity_type: "Innocent".to_owned(),
            headers: [("Tenterhook-Context".to_owned(), Payload::default())].into(),
            start_to_close_timeout: Some(Default::default()),
            ..Default::default()
        }),
        Push::Attribute => {
            Variant::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
                search_attributes: Some(SearchAttributes {
                    indexed_fields: [("Tenant".to_owned(), Payload::default())].into(),
                }),
            })
        }
        Push::Memo => Variant::ModifyWorkflowProperties(ModifyWorkflowProperties {
            upserted_memo: Some(Memo {
                fields: [("tenterhook:release".to_owned(), Payload::default())].into(),
            }),
        }),
        Push::End => Variant::ContinueAsNewWorkflowExecution(ContinueAsNewWorkflowExecution {
            workflow_type: "payment.ProcessPayment".to_owned(),
            ..Default::default()
        }),
    }
}
