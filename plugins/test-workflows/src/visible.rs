//! Workflows that show something to whoever looks at them: search attributes, memo, current details.

use temporalio_workflow::common::SearchAttributeKey;
use temporalio_workflow::{
    MemoValue, SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

/// Search attributes by the names that Temporal's own tests use. The namespace must have them; a test adds them.
const KEYWORD: SearchAttributeKey<String> = SearchAttributeKey::keyword("CustomKeywordField");
const NUMBER: SearchAttributeKey<i64> = SearchAttributeKey::int("CustomIntField");

#[workflow]
#[derive(Default)]
pub(crate) struct SearchAttributes {
    go: bool,
}

#[workflow_methods]
impl SearchAttributes {
    /// Sets two; after the signal `go` changes one and removes the other.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        keyword: String,
    ) -> WorkflowResult<Option<String>> {
        ctx.upsert_search_attributes([KEYWORD.value_set(keyword.clone()), NUMBER.value_set(1)]);
        ctx.wait_condition(|workflow| workflow.go).await?;
        let changed = format!("{keyword}-changed");
        ctx.upsert_search_attributes([KEYWORD.value_set(changed), NUMBER.value_unset()]);
        Ok(ctx.search_attributes().get(&KEYWORD))
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Memo {
    go: bool,
}

#[workflow_methods]
impl Memo {
    /// Sets two; after the signal `go` changes one and removes the other.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        note: String,
    ) -> WorkflowResult<Option<String>> {
        let changed = format!("{note}-changed");
        ctx.upsert_memo([
            ("note", Some(MemoValue::new(note))),
            ("number", Some(MemoValue::new(1))),
        ])?;
        ctx.wait_condition(|workflow| workflow.go).await?;
        ctx.upsert_memo([("note", Some(MemoValue::new(changed))), ("number", None)])?;
        Ok(ctx.memo().get::<String>("note")?)
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Details {
    finished: bool,
}

#[workflow_methods]
impl Details {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        details: String,
    ) -> WorkflowResult<()> {
        ctx.set_current_details(details);
        ctx.wait_condition(|workflow| workflow.finished).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn set(&mut self, ctx: &mut SyncWorkflowContext<Self>, details: String) {
        ctx.set_current_details(details);
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }
}
