//! Shows every feature of Temporal's workflow contract, a workflow type for each, for tests against the real server.
//!
//! [`running`]: activities, local activities, their failures and cancellation; [`waiting`]: timers and scopes;
//! [`messages`]: signals, queries, updates; [`family`]: children and other workflows; [`lifecycle`]: failing,
//! continuing as new, patches; [`visible`]: search attributes, memo, details; [`ambient`]: time and randomness.

mod activities;
mod ambient;
mod chain;
mod family;
mod keeping;
mod lifecycle;
mod messages;
mod running;
mod visible;
mod waiting;

use tenterhook_sdk::plugin;

use activities::{Count, Echo, Fail, Fetch, ReadConfig, TaskFacts, WaitForCancel, WriteLog};
use ambient::Ambient;
use family::{CancelsOther, Child, Parent, SignalsOther};
use keeping::Keeping;
use lifecycle::{ContinuesAsNew, Fails, FailsTask, Patched};
use messages::{Inbox, Ledger, Signalled};
use running::{CancelsActivity, ManyActivities, RunsActivity, RunsLocalActivity};
use visible::{Details, Memo, SearchAttributes};
use waiting::{CancelsTimer, CleansUp, Scopes, Timers};

plugin! {
    workflows: [
        /// Runs any activity of this plugin and answers with its result or its whole failure.
        RunsActivity,
        /// Runs `Echo` so many times at once.
        ManyActivities,
        /// Starts `WaitForCancel`, cancels it on the signal `cancel`, and answers with what it saw.
        CancelsActivity { signals: [cancel] },
        /// As `RunsActivity`, as a local activity.
        RunsLocalActivity,
        /// Timers at once; answers with the order in which they fired.
        Timers,
        /// Starts a timer and cancels it.
        CancelsTimer,
        /// Waits for cancellation and then cleans up in a detached scope.
        CleansUp { queries: [state] },
        /// Two scopes: one is cancelled by the workflow itself, the other is not.
        Scopes,
        /// Collects the words of the signal `add` until the signal `finish`.
        Signalled { signals: [add, finish], queries: [words] },
        /// Each signal `echo` runs an activity; ends after the given number of them.
        Inbox { signals: [echo] },
        /// A balance with updates: validated, asynchronous, failing; and queries, one of which fails.
        Ledger {
            signals: [close],
            queries: [balance, scaled, broken],
            updates: [deposit, withdraw, deposit_later],
        },
        /// Starts `Child` and does with it what the input says.
        Parent { queries: [child_id] },
        /// Waits for the signal `finish`, or fails, as its input says.
        Child { signals: [finish] },
        /// Sends the signal `add`, then `finish`, to another workflow.
        SignalsOther,
        /// Cancels another workflow.
        CancelsOther,
        /// Fails with an application failure made of its input.
        Fails,
        /// Fails its first workflow tasks, never the workflow.
        FailsTask { signals: [heal] },
        /// Continues as new until its counter is zero.
        ContinuesAsNew,
        /// Asks for patches, one of them deprecated.
        Patched { signals: [go] },
        /// Sets, changes and removes search attributes.
        SearchAttributes { signals: [go] },
        /// Sets, changes and removes memo values.
        Memo { signals: [go] },
        /// Sets the current details.
        Details { signals: [set, finish] },
        /// Everything a workflow can see that should be the same in every replay.
        Ambient { signals: [go] },
    ],
    activities: [
        Echo,
        Fail,
        Count,
        WaitForCancel,
        TaskFacts,
        Fetch,
        ReadConfig,
        WriteLog,
        Keeping,
    ],
    wants: {
        http: ["config:fetch_url"],
        keyvalue: true,
        config: ["fetch_url", "greeting"],
    },
}
