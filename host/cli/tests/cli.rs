//! The program as its users meet it: the built binary, against a stand-in for a host that answers what a test
//! says and remembers what it was asked.

#[path = "cli/author.rs"]
mod author;
#[path = "cli/connecting.rs"]
mod connecting;
#[path = "cli/context_keys.rs"]
mod context_keys;
#[path = "cli/fake_host.rs"]
mod fake_host;
#[path = "cli/lanes.rs"]
mod lanes;
#[path = "cli/plugins.rs"]
mod plugins;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/quotas.rs"]
mod quotas;
#[path = "cli/releases.rs"]
mod releases;
#[path = "cli/schedules.rs"]
mod schedules;
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/signing.rs"]
mod signing;
#[path = "cli/template.rs"]
mod template;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/workflows.rs"]
mod workflows;
