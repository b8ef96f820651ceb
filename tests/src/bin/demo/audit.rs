//! Holding what the host says against what had to come of a payment and what the books say.

use serde_json::Value;
use tenterhook_tests::standin::Book;

use crate::payment::Payment;

/// An activity of a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its name within the plugin.
    pub(crate) name: String,
    /// How often it was tried.
    pub(crate) attempts: u64,
    /// Whether it ended well.
    pub(crate) completed: bool,
}

/// The activities of a history, in the order they were scheduled.
///
/// The saga's activities come one after another, so what starts, completes or fails is always the
/// one scheduled last.
pub(crate) fn steps(events: &[Value]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        // Temporal writes the name of an event both ways.
        let kind = kind
            .trim_start_matches("EVENT_TYPE_")
            .replace('_', "")
            .to_lowercase();
        match (kind.as_str(), steps.last_mut()) {
            ("activitytaskscheduled", _) => {
                let name = event["name"].as_str().unwrap_or_default();
                let name = name.rsplit('.').next().unwrap_or_default().to_owned();
                steps.push(Step {
                    name,
                    attempts: 1,
                    completed: false,
                });
            }
            ("activitytaskstarted", Some(step)) => {
                step.attempts = event["attempt"].as_u64().unwrap_or(step.attempts);
            }
            ("activitytaskcompleted", Some(step)) => step.completed = true,
            _ => {}
        }
    }
    steps
}

/// The type of the failure that an outcome ends with: the innermost one that has a type of its own.
pub(crate) fn failure_type(failure: &Value) -> Option<&str> {
    let inner = failure.get("cause").and_then(failure_type);
    inner.or_else(|| failure["type"].as_str().filter(|kind| !kind.is_empty()))
}

/// Where one payment's story and the books disagree.
pub(crate) fn payment(
    tenant: &str,
    payment: &Payment,
    digest: &str,
    outcome: &Value,
    steps: &[Step],
    book: &Book,
) -> Vec<String> {
    let expected = &payment.expected;
    let mut differences = Differences {
        of: format!("{tenant} {}", payment.id),
        found: Vec::new(),
    };
    differences.compare("ends", outcome["status"].as_str(), Some(expected.status));
    let failure = failure_type(&outcome["failure"]);
    differences.compare("fails with", failure, expected.failure);
    differences.compare("runs on", outcome["digest"].as_str(), Some(digest));
    let ran: Vec<_> = steps
        .iter()
        .map(|step| (step.name.as_str(), step.attempts))
        .collect();
    differences.compare("runs the activities", ran.as_slice(), expected.steps);
    books(payment, book, &mut differences);
    differences.found
}

/// What the books have to say of it.
fn books(payment: &Payment, book: &Book, differences: &mut Differences) {
    let expected = &payment.expected;
    let charges: Vec<_> = book
        .charges
        .iter()
        .filter(|charge| charge.payment_id == payment.id)
        .collect();
    let charged: Vec<_> = charges.iter().map(|charge| charge.amount).collect();
    let due = if expected.charged {
        vec![payment.amount]
    } else {
        vec![]
    };
    differences.compare("is charged in the books", charged, due);

    let refunded: Vec<_> = charges
        .iter()
        .flat_map(|charge| book.refunds_of(&charge.charge_id))
        .map(|refund| refund.amount)
        .collect();
    let due = if expected.refunded {
        vec![payment.amount]
    } else {
        vec![]
    };
    differences.compare("is refunded in the books", refunded, due);

    let held = book
        .reservations
        .iter()
        .filter(|held| held.order_id == payment.order);
    let released: Vec<_> = held.map(|held| held.released).collect();
    differences.compare(
        "has reservations released",
        released,
        vec![expected.released],
    );

    let order = book
        .orders
        .get(payment.order)
        .map(|order| order.history.clone());
    differences.compare(
        "gives its order the statuses",
        order.unwrap_or_default(),
        expected.order.to_vec(),
    );

    let shipments = book
        .shipments
        .iter()
        .filter(|shipment| shipment.order_id == payment.order)
        .count();
    differences.compare("is shipped", shipments, usize::from(expected.shipped));
}

/// Where the sums of a tenant's book disagree: entries that no payment of this tenant explains.
pub(crate) fn totals(tenant: &str, payments: &[Payment], book: &Book) -> Vec<String> {
    let mut differences = Differences {
        of: format!("{tenant}'s book"),
        found: Vec::new(),
    };
    let count =
        |holds: fn(&Payment) -> bool| payments.iter().filter(|payment| holds(payment)).count();
    differences.compare(
        "has charges",
        book.charges.len(),
        count(|payment| payment.expected.charged),
    );
    differences.compare(
        "has refunds",
        book.refunds.len(),
        count(|payment| payment.expected.refunded),
    );
    differences.compare("has reservations", book.reservations.len(), payments.len());
    differences.compare("has orders", book.orders.len(), payments.len());
    let shipped = count(|payment| payment.expected.shipped);
    differences.compare("has shipments", book.shipments.len(), shipped);
    differences.found
}

/// Disagreements about one thing.
struct Differences {
    of: String,
    found: Vec<String>,
}

impl Differences {
    fn compare<A: std::fmt::Debug + PartialEq<B>, B: std::fmt::Debug>(
        &mut self,
        what: &str,
        is: A,
        should: B,
    ) {
        if is != should {
            self.found
                .push(format!("{} {what} {is:?}, and not {should:?}", self.of));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_history_tells_its_activities_and_attempts() {
        let events = [
            json!({ "type": "WorkflowExecutionStarted" }),
            json!({ "type": "ActivityTaskScheduled", "name": "payment.ValidatePayment" }),
            json!({ "type": "ActivityTaskStarted", "attempt": 1 }),
            json!({ "type": "ActivityTaskCompleted" }),
            json!({ "type": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "name": "ReserveInventory" }),
            json!({ "type": "EVENT_TYPE_ACTIVITY_TASK_STARTED", "attempt": 3 }),
            json!({ "type": "EVENT_TYPE_ACTIVITY_TASK_FAILED" }),
        ];
        let step = |name: &str, attempts, completed| Step {
            name: name.to_owned(),
            attempts,
            completed,
        };
        let expected = [
            step("ValidatePayment", 1, true),
            step("ReserveInventory", 3, false),
        ];
        assert_eq!(steps(&events), expected);
    }

    #[test]
    fn the_innermost_typed_failure_counts() {
        let failure = json!({
            "type": "ActivityError",
            "cause": { "type": "PaymentDeclined", "cause": { "message": "no money" } },
        });
        assert_eq!(failure_type(&failure), Some("PaymentDeclined"));
        assert_eq!(failure_type(&Value::Null), None);
    }

    #[test]
    fn an_empty_book_disagrees_with_a_payment_that_succeeded() {
        let payments = crate::payment::of("acme");
        let outcome = json!({ "status": "completed", "digest": "sha256:1" });
        let found = payment(
            "acme",
            &payments[0],
            "sha256:2",
            &outcome,
            &[],
            &Book::default(),
        )
        .join("\n");
        for expected in [
            "runs on",
            "runs the activities",
            "is charged",
            "is shipped 0, and not 1",
        ] {
            assert!(found.contains(expected), "{expected} in {found}");
        }
        assert_eq!(totals("acme", &payments, &Book::default()).len(), 4);
    }
}
