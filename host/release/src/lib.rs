//! The life of a release on its way through the host: who checks it, and what follows from that.
//!
//! Every host runs these rounds; what keeps them apart is the store's claims and moves, so that any host may die at
//! any step and another goes on from there.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `checks` | claims releases that wait, has them looked at, writes down what was found |

mod checks;

pub use checks::{CHECKS_MAX, CLAIM, Checks};
