//! The provider stand-in, through HTTP: what the plugins and the demo rely on.

mod analytics;
mod billing;
mod listings;
mod payments;
mod providers;
mod subscriptions;
mod users;
