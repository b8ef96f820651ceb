//! The life of a release on its way through the host: who checks it, and what follows from that.
//!
//! Every host runs these rounds; what keeps them apart is the store's claims and moves, so that any host may die at
//! any step and another goes on from there.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `checks` | claims releases that wait, has them looked at, writes down what was found |
//! | `rehearsals` | the same for a component that is not kept |

mod checks;
mod rehearsals;

pub use checks::{CHECKS_MAX, CLAIM, Checks};
pub use rehearsals::{REHEARSALS_MAX, Rehearsals};
