//! Greets guests, and waits for what they say.

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::{ActivityContext, ActivityError, activity, info, payload, plugin};

/// Who comes.
#[payload]
#[derive(Clone)]
struct Guest {
    /// As the greeting says it; not empty.
    name: String,
}

/// What a guest said.
#[payload]
struct Answer {
    guest: Guest,
    words: String,
}

/// Writes a greeting.
#[activity(timeout = Short)]
fn greet(_ctx: &ActivityContext, guest: Guest) -> Result<String, ActivityError> {
    greeting_for(&guest)
}

fn greeting_for(guest: &Guest) -> Result<String, ActivityError> {
    if guest.name.is_empty() {
        return Err(ActivityError::validation("a guest needs a name"));
    }
    Ok(format!("Hello, {}!", guest.name))
}

/// Writes an answer down: in the host's log, until there is a better place.
#[activity(timeout = Short)]
fn write_down(ctx: &ActivityContext, answer: Answer) -> Result<(), ActivityError> {
    let Answer { guest, words } = answer;
    info!("attempt {}: {} says {words:?}", ctx.attempt(), guest.name);
    Ok(())
}

/// One guest's visit. Its fields are what it knows; they are made anew from history whenever that is needed.
#[workflow]
#[derive(Default)]
struct Visit {
    greeting: Option<String>,
    answer: Option<String>,
}

#[workflow_methods]
impl Visit {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, guest: Guest) -> WorkflowResult<String> {
        let greeting = greet(guest.clone()).run(ctx).await?;
        ctx.state_mut(|visit| visit.greeting = Some(greeting.clone()));
        ctx.wait_condition(|visit| visit.answer.is_some()).await?;
        let words = ctx.state(|visit| visit.answer.clone().unwrap_or_default());
        let answer = Answer {
            guest,
            words: words.clone(),
        };
        write_down(answer).run(ctx).await?;
        Ok(format!("{greeting} {words}"))
    }

    #[signal]
    fn answer(&mut self, _ctx: &mut SyncWorkflowContext<Self>, words: String) {
        self.answer = Some(words);
    }

    #[query]
    fn greeting(&self, _ctx: &WorkflowContextView) -> Option<String> {
        self.greeting.clone()
    }
}

plugin! {
    workflows: [
        /// Greets a guest and ends when the guest answers.
        Visit { signals: [answer], queries: [greeting] },
    ],
    activities: [Greet, WriteDown],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str) -> Guest {
        Guest {
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_guest_is_greeted_by_name() {
        assert_eq!(
            greeting_for(&guest("Ada")).ok().as_deref(),
            Some("Hello, Ada!")
        );
    }

    #[test]
    fn nobody_is_not_greeted() {
        assert!(greeting_for(&guest("")).is_err());
    }
}
