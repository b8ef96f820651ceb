//! A workflow that reaches for other plugins of its scope in every way there is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_workflow::common::data_converters::{PayloadConverter, RawValue};
use temporalio_workflow::common::{SignalDefinition, UntypedActivity, UntypedWorkflow};
use temporalio_workflow::{
    ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, SignalWorkflowOptions,
    WorkflowContext, WorkflowIdReusePolicy, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::JsonSchema;
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::workflows::Behaves;

/// How long a local activity may take.
const BRIEFLY: Duration = Duration::from_secs(5);

/// How to reach, and for what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// An activity of this type.
    Activity(String),
    /// The same as a local activity.
    LocalActivity(String),
    /// A child of this type, without input.
    Child(String),
    /// A child of its own in the place of the execution of this id.
    Replace(String),
    /// A run of this type that continues this one.
    Continue(String),
    /// The signal `add` to the execution of this id.
    Signal(String),
    /// A cancel of the execution of this id.
    Cancel(String),
}

/// The signal `add` of whatever workflow.
struct Add;

impl SignalDefinition for Add {
    type Workflow = UntypedWorkflow;
    type Input = String;

    fn name(&self) -> &str {
        "add"
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Reaches;

#[workflow_methods]
impl Reaches {
    /// Waits until it has what it reached for, and answers with how a signal or cancel failed.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        way: Way,
    ) -> WorkflowResult<Option<String>> {
        let input = RawValue::from_value(&"from afar".to_owned(), &PayloadConverter::default());
        match way {
            Way::Activity(name) => {
                let options = activity_options(Timeout::Short, Retry::None);
                let activity = UntypedActivity::new(&name);
                ctx.execute_activity(activity, input, options).await?;
            }
            Way::LocalActivity(name) => {
                let mut options = LocalActivityOptions::default();
                options.start_to_close_timeout = Some(BRIEFLY);
                let activity = UntypedActivity::new(&name);
                ctx.execute_local_activity(activity, input, options).await?;
            }
            Way::Child(name) => {
                let options = ChildWorkflowOptions::builder()
                    .workflow_id("reached".to_owned())
                    .build();
                let nothing = RawValue::from_value(&None::<String>, &PayloadConverter::default());
                let child = UntypedWorkflow::new(name);
                let child = ctx.start_child_workflow(child, nothing, options).await?;
                child.result().await?;
            }
            Way::Replace(id) => {
                let options = ChildWorkflowOptions::builder()
                    .workflow_id(id)
                    .id_reuse_policy(WorkflowIdReusePolicy::TerminateIfRunning)
                    .build();
                let child = ctx.start_child_workflow(Behaves::run, String::new(), options);
                child.await?.result().await?;
            }
            Way::Continue(name) => {
                let options = ContinueAsNewOptions::builder().workflow_type(name).build();
                ctx.continue_as_new(Way::Signal(String::new()), options)?;
            }
            Way::Signal(id) => {
                let other = ctx.external_workflow(id, None);
                let word = "from afar".to_owned();
                let sent = other.signal(Add, word, SignalWorkflowOptions::default());
                return Ok(sent.await.err().map(|error| error.to_string()));
            }
            Way::Cancel(id) => {
                let other = ctx.external_workflow(id, None);
                let sent = other.cancel(Some("from afar".to_owned()));
                return Ok(sent.await.err().map(|error| error.to_string()));
            }
        }
        Ok(None)
    }
}
