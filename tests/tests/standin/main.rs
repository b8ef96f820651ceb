//! The provider stand-in, through HTTP: what the plugins and the demo rely on. And the client that outlives hosts.

mod analytics;
mod billing;
mod fleet;
mod listings;
mod payments;
mod providers;
mod subscriptions;
mod users;
