//! The life of a release on its way through the host: who checks it, and what follows from that.
//!
//! Every host runs these rounds; what keeps them apart is the store's claims and moves, so that any host may die at
//! any step and another goes on from there.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `checks` | claims releases that wait, has them looked at, writes down what was found |
//! | `rehearsals` | the same for a component that is not kept |
//! | `ramp` | takes ramps to their next step, and stops those that their guard finds bad |
//! | `guard` | the rule by which one is found bad |
//! | `retire` | retires releases that nothing runs on, and removes their components |
//! | `sweep` | removes what no release needs, tells of what one needs and is missing |

mod checks;
mod guard;
mod ramp;
mod rehearsals;
mod retire;
mod sweep;

pub use checks::{CHECKS_MAX, CLAIM, Checks};
pub use guard::{P99_NOISE_MILLIS, judge};
pub use ramp::Ramps;
pub use rehearsals::{REHEARSALS_MAX, Rehearsals};
pub use retire::{Retirement, SECOND_LOOK};
pub use sweep::{ORPHAN_AGE, Sweep};
