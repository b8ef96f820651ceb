//! Every workflow and activity of the shipped plugins has a test on the real server, named after it.
//!
//! What the domain asks for is a table of this file, so that what is left out of a plugin is missed here.
//!
//! A plugin is a folder of `plugins/` whose tests are in `tests/tests/domain/PLUGIN/`. What it has stands in its
//! `plugin!`. A workflow's tests are a file of its name, at least two: one where all goes well, one where it does not. An
//! activity's is a test whose name contains its name. The plugin's README names each workflow.

use std::fs;

use super::{assert_none, files, root};

/// Plugins that are there for tests and measurements.
const NOT_SHIPPED: &[&str] = &["test-", "bench", "examples"];

/// What the domain asks for: plugins, their workflows, their activities.
#[rustfmt::skip]
const DOMAIN: &[(&str, &[&str], &[&str])] = &[
    ("user", &[
        "SendNotification", "Onboarding",
    ], &[
        "SendEmail", "ProcessNotification", "UpdateUserStatus", "SendWelcomePackage", "SendNotification",
    ]),
    ("payment", &[
        "ProcessPayment", "SubscriptionPayment",
    ], &[
        "ValidatePayment", "ProcessPaymentGateway", "RefundPayment", "ReserveInventory", "ReleaseInventory",
        "UpdateOrderStatus", "TriggerFulfillment", "GetSubscriptionDetails", "UpdateSubscription",
    ]),
    ("listing", &[
        "Approval", "Expiration",
    ], &[
        "ValidateListing", "RunAutomatedChecks", "UpdateListingStatus", "NotifyReviewers", "ApproveListing",
        "RejectListing", "PublishToSearchIndex", "RemoveFromSearchIndex", "GetListingStatus", "ExpireListing",
    ]),
    ("analytics", &[
        "DailyReport", "DataCleanup", "Reminder",
    ], &[
        "GatherAnalytics", "GenerateReport", "StoreReport", "LogReportGeneration", "IdentifyCleanupItems",
        "BackupData", "DeleteItems", "LogCleanupOperation", "ValidateReminder", "SendReminder", "MarkReminderSent",
    ]),
    ("billing", &[
        "PriceSync", "TaskProcessing", "BillingCycle", "CalculateCharges", "SubscriptionChange",
        "SubscriptionCreation", "TenantSwitch",
    ], &[
        "SyncPlanPrices", "ProcessTask", "ListDueSubscriptions", "ProcessInvoice", "CalculateCharges",
        "CreateSubscription", "ApplySubscriptionChange", "RevertSubscriptionChange", "ValidateTenantAccess",
        "UpdateUserTenant", "CreateTenantSession",
    ]),
];

/// A plugin as text.
struct Shipped {
    name: String,
    lib: String,
    readme: String,
    /// The tests' files, by their names without ending, and what is in them.
    tests: Vec<(String, String)>,
}

fn shipped() -> Vec<Shipped> {
    let mut names: Vec<String> = fs::read_dir(root().join("plugins"))
        .expect("the plugins")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !NOT_SHIPPED.iter().any(|start| name.starts_with(start)))
        .collect();
    names.sort();
    let read = |path: String| fs::read_to_string(root().join(path)).unwrap_or_default();
    let plugin = |name: String| Shipped {
        lib: read(format!("plugins/{name}/src/lib.rs")),
        readme: read(format!("plugins/{name}/README.md")),
        tests: files(&format!("tests/tests/domain/{name}"), &[".rs"])
            .into_iter()
            .map(|file| {
                let stem = file.path.rsplit('/').next().unwrap_or_default();
                (stem.trim_end_matches(".rs").to_owned(), file.text)
            })
            .collect(),
        name,
    };
    names.into_iter().map(plugin).collect()
}

/// The names in one list of `plugin!`: `workflows` or `activities`.
fn listed(lib: &str, list: &str) -> Vec<String> {
    let declared = lib.split("plugin! {").nth(1).unwrap_or_default();
    let open = format!("{list}: [\n");
    let entries = declared.split(&open).nth(1).unwrap_or_default();
    let entries = entries.split("\n    ],").next().unwrap_or_default();
    let lines = entries.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .filter_map(|line| line.split([' ', ',', '{']).next())
        .filter_map(|path| path.rsplit("::").next())
        .map(|name| original(lib, name))
        .collect()
}

/// The name of what `lib` imports as `name`.
fn original(lib: &str, name: &str) -> String {
    let words: Vec<_> = lib
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let renamed = words
        .windows(3)
        .find(|three| three[1] == "as" && three[2] == name);
    renamed.map_or(name, |three| three[0]).to_owned()
}

/// `SendEmail` as `send_email`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The names of the tests in a source.
fn tests_in(text: &str) -> Vec<&str> {
    text.split("#[tokio::test")
        .skip(1)
        .filter_map(|rest| rest.split("async fn ").nth(1)?.split('(').next())
        .collect()
}

fn untested(plugin: &Shipped) -> Vec<String> {
    let mut findings = Vec::new();
    let (workflows, activities) = (
        listed(&plugin.lib, "workflows"),
        listed(&plugin.lib, "activities"),
    );
    if workflows.is_empty() || activities.is_empty() {
        findings.push(format!("{} has no workflow or no activity", plugin.name));
    }
    for workflow in &workflows {
        let file = snake(workflow);
        let own = plugin.tests.iter().find(|(stem, _)| *stem == file);
        let tests = own.map_or(0, |(_, text)| tests_in(text).len());
        if tests < 2 {
            findings.push(format!(
                "{}.{workflow} has {tests} tests, not two or more, in tests/tests/domain/{}/{file}.rs",
                plugin.name, plugin.name
            ));
        }
        if !plugin
            .readme
            .contains(&format!("`{}.{workflow}`", plugin.name))
        {
            findings.push(format!(
                "plugins/{}/README.md does not name {}.{workflow}",
                plugin.name, plugin.name
            ));
        }
    }
    for activity in &activities {
        let name = snake(activity);
        let tests = plugin.tests.iter().flat_map(|(_, text)| tests_in(text));
        if !tests.into_iter().any(|test| test.contains(&name)) {
            findings.push(format!(
                "{}.{activity} has no test whose name contains {name}",
                plugin.name
            ));
        }
    }
    findings
}

/// What the domain asks for and `plugins` do not have.
fn missing(plugins: &[Shipped]) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, workflows, activities) in DOMAIN {
        let plugin = plugins.iter().find(|plugin| plugin.name == *name);
        let lib = plugin.map_or("", |plugin| plugin.lib.as_str());
        for (list, wanted) in [("workflows", workflows), ("activities", activities)] {
            let has = listed(lib, list);
            let lacks = wanted
                .iter()
                .filter(|&&row| !has.iter().any(|it| it == row));
            findings.extend(lacks.map(|row| format!("{name} lacks {row} among its {list}")));
        }
    }
    findings
}

#[test]
fn every_workflow_and_activity_has_a_test_named_after_it() {
    let findings: Vec<_> = shipped().iter().flat_map(untested).collect();
    assert_none(&findings);
}

#[test]
fn what_the_domain_asks_for_is_there() {
    assert_none(&missing(&shipped()));
    let without = missing(&[]);
    let rows = DOMAIN
        .iter()
        .map(|(_, workflows, activities)| workflows.len() + activities.len());
    assert_eq!(without.len(), rows.sum::<usize>());
    assert!(without.contains(&"payment lacks RefundPayment among its activities".to_owned()));
}

#[test]
fn what_has_no_test_is_found() {
    let lib = "use a::Pay as Paying;\nplugin! {\n    workflows: [\n        /// Pays.\n        Paying { queries: [status] \
               },\n        Ship,\n    ],\n    activities: [\n        a::ChargeCard,\n        Refund,\n    ],\n}\n";
    assert_eq!(listed(lib, "workflows"), ["Pay", "Ship"]);
    assert_eq!(listed(lib, "activities"), ["ChargeCard", "Refund"]);
    let test = |name: &str| format!("#[tokio::test]\nasync fn {name}() {{}}\n");
    let pay = test("charge_card_and_more") + &test("it_fails");
    let plugin = Shipped {
        name: "a".to_owned(),
        lib: lib.to_owned(),
        readme: "`a.Pay`".to_owned(),
        tests: vec![("pay".to_owned(), pay), ("ship".to_owned(), test("once"))],
    };
    assert_eq!(
        untested(&plugin),
        [
            "a.Ship has 1 tests, not two or more, in tests/tests/domain/a/ship.rs",
            "plugins/a/README.md does not name a.Ship",
            "a.Refund has no test whose name contains refund",
        ]
    );
}
