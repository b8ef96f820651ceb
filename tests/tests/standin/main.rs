//! The provider stand-in, through HTTP: what the plugins and the demo rely on.

mod payments;
mod providers;
mod subscriptions;
