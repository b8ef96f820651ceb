//! The inventory: reservations of an order's items.

use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::finding::OfPayments as _;
use crate::model::{Item, TEXT_CHARS_MAX};
use crate::provider;

const URL_KEY: &str = "inventory_url";

/// The inventory knows nothing of that reservation (any more).
const NOT_FOUND: u16 = 404;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReservationRequest {
    pub(crate) order_id: String,
    pub(crate) items: Vec<Item>,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    pub(crate) reservation_id: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReleaseRequest {
    pub(crate) reservation_id: String,
}

impl ReservationRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("order_id", &self.order_id, TEXT_CHARS_MAX);
        findings.items(&self.items);
        findings.verdict("the items cannot be reserved")
    }
}

impl ReleaseRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.present("reservation_id", &self.reservation_id);
        findings.verdict("the reservation cannot be given back")
    }

    /// The release of the whole of a reservation.
    pub(crate) fn of(reserved: &Reserved) -> Self {
        Self {
            reservation_id: reserved.reservation_id.clone(),
        }
    }
}

/// Reserves the order's items.
///
/// An item that is out of stock is a `Conflict`.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn reserve_inventory(
    ctx: &ActivityContext,
    input: ReservationRequest,
) -> Result<Reserved, ActivityError> {
    input.check()?;
    let reserved: Reserved = provider::request(ctx, URL_KEY, Method::Post, "reservations")?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "order {} reserved as {}",
        input.order_id, reserved.reservation_id
    );
    Ok(reserved)
}

/// Gives a reservation back; one that is gone already is no error.
#[activity(timeout = Short)]
pub(crate) fn release_inventory(
    ctx: &ActivityContext,
    input: ReleaseRequest,
) -> Result<(), ActivityError> {
    input.check()?;
    let path = format!("reservations/{}", encode_segment(&input.reservation_id));
    let response = provider::request(ctx, URL_KEY, Method::Delete, &path)?.send()?;
    if response.status() != NOT_FOUND {
        response.ok()?;
    }
    info!("reservation {} released", input.reservation_id);
    Ok(())
}
