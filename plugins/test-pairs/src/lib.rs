//! A workflow type for each way in which workflow code is changed, in two releases: as built, and with the feature
//! `v2`. What the replay gate must say of each pair stands in `tests/tests/e2e/verdicts.rs`.
//!
//! [`steps`]: other steps, or the same in other words; [`handlers`]: handlers that come and types that go;
//! [`busy`]: a workflow that does much and is not changed.

mod activities;
mod busy;
mod handlers;
mod steps;

use tenterhook_sdk::plugin;

use activities::{Bill, Charge, Notify, Ship};
use busy::Busy;
#[cfg(not(feature = "v2"))]
use handlers::TypeRemoved;
use handlers::{QueryAdded, SignalAdded};
use steps::{
    ActivitiesReordered, ActivityAdded, ActivityAppended, ActivityOptionsChanged, ActivityRemoved,
    ActivityRenamed, ChildAdded, CodeAdded, ContinuesInstead, FailsInstead, PanicsInReplay,
    PatchedProperly, TaskForcedToFail, TimerChanged, TimerReplaced, WaitRemoved,
};

/// True in the second release.
const V2: bool = cfg!(feature = "v2");

#[cfg(not(feature = "v2"))]
plugin! {
    name: "test-pairs",
    version: "1.0.0",
    workflows: [
        ActivitiesReordered, ActivityAdded, ActivityAppended, ActivityOptionsChanged, ActivityRemoved,
        ActivityRenamed, ChildAdded, CodeAdded, ContinuesInstead, FailsInstead, PanicsInReplay,
        PatchedProperly, TaskForcedToFail, TimerChanged, TimerReplaced, WaitRemoved,
        SignalAdded { signals: [go] },
        QueryAdded { signals: [go] },
        TypeRemoved { signals: [go] },
        Busy { signals: [go], updates: [add] },
    ],
    activities: [Bill, Charge, Notify, Ship],
}

#[cfg(feature = "v2")]
plugin! {
    name: "test-pairs",
    version: "2.0.0",
    workflows: [
        ActivitiesReordered, ActivityAdded, ActivityAppended, ActivityOptionsChanged, ActivityRemoved,
        ActivityRenamed, ChildAdded, CodeAdded, ContinuesInstead, FailsInstead, PanicsInReplay,
        PatchedProperly, TaskForcedToFail, TimerChanged, TimerReplaced, WaitRemoved,
        SignalAdded { signals: [go, add] },
        QueryAdded { signals: [go], queries: [gone] },
        Busy { signals: [go], updates: [add] },
    ],
    activities: [Bill, Charge, Notify, Ship],
}
