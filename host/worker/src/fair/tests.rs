//! The queue against what it promises, by chance and by example.

use proptest::prelude::*;

use super::*;

fn flow(tenant: &str, plugin: &str, weight: u16) -> Flow {
    Flow {
        tenant: tenant.parse().unwrap(),
        plugin: plugin.parse().unwrap(),
        weight,
    }
}

/// Serves `turns` pieces of work, each of which takes what `cost` says of its flow. Answers who was served.
fn serve(queue: &mut FairQueue<Flow>, turns: usize, cost: impl Fn(&Flow) -> u64) -> Vec<Flow> {
    let mut served = Vec::new();
    while served.len() < turns
        && let Some((turn, flow)) = queue.pop(|_| true)
    {
        queue.settle(turn, cost(&flow));
        served.push(flow);
    }
    served
}

fn fill(queue: &mut FairQueue<Flow>, flow: &Flow, number: usize) {
    for _ in 0..number {
        queue.push(flow, flow.clone());
    }
}

#[test]
fn a_tenant_with_a_few_does_not_wait_for_one_with_many() {
    let mut queue = FairQueue::default();
    let (many, few) = (flow("many", "p", 1), flow("few", "p", 1));
    fill(&mut queue, &many, 2_000);
    fill(&mut queue, &few, 20);
    let served = serve(&mut queue, 2_020, |_| 1_000_000);
    let last = served.iter().rposition(|flow| *flow == few);
    assert_eq!(served.len(), 2_020);
    assert!(last <= Some(40), "the last of the few is at place {last:?}");
}

#[test]
fn time_counts_and_not_the_number_of_turns() {
    let mut queue = FairQueue::default();
    let (slow, quick) = (flow("slow", "p", 1), flow("quick", "p", 1));
    fill(&mut queue, &slow, 100);
    fill(&mut queue, &quick, 1_000);
    let cost = |flow: &Flow| if *flow == slow { 10_000_000 } else { 1_000_000 };
    let served = serve(&mut queue, 550, cost);
    let of_slow = served.iter().filter(|flow| **flow == slow).count();
    assert!(
        (48..=52).contains(&of_slow),
        "{of_slow} of 550, not a tenth of the quick ones'"
    );
}

#[test]
fn weights_divide_the_time() {
    let mut queue = FairQueue::default();
    let (three, one) = (flow("three", "p", 3), flow("one", "p", 1));
    fill(&mut queue, &three, 1_000);
    fill(&mut queue, &one, 1_000);
    let served = serve(&mut queue, 400, |_| 1_000_000);
    let of_one = served.iter().filter(|flow| **flow == one).count();
    assert!(
        (98..=102).contains(&of_one),
        "{of_one} of 400, not a quarter"
    );
}

#[test]
fn a_tenants_plugins_share_what_is_the_tenants() {
    let mut queue = FairQueue::default();
    let (loud, quiet) = (flow("acme", "loud", 1), flow("acme", "quiet", 1));
    let other = flow("globex", "p", 1);
    fill(&mut queue, &loud, 1_000);
    fill(&mut queue, &quiet, 1_000);
    fill(&mut queue, &other, 1_000);
    let served = serve(&mut queue, 400, |_| 1_000_000);
    let of = |wanted: &Flow| served.iter().filter(|flow| *flow == wanted).count();
    assert!((98..=102).contains(&of(&quiet)), "{} of 400", of(&quiet));
    assert!((198..=202).contains(&of(&other)), "{} of 400", of(&other));
}

#[test]
fn nobody_saves_up_time_while_idle() {
    let mut queue = FairQueue::default();
    let (busy, idle) = (flow("busy", "p", 1), flow("idle", "p", 1));
    fill(&mut queue, &busy, 1_000);
    serve(&mut queue, 500, |_| 1_000_000);
    fill(&mut queue, &idle, 500);
    let served = serve(&mut queue, 100, |_| 1_000_000);
    let of_busy = served.iter().filter(|flow| **flow == busy).count();
    assert!((48..=52).contains(&of_busy), "{of_busy} of 100");
}

#[test]
fn nobody_saves_up_time_with_one_piece_always_under_way() {
    let mut queue = FairQueue::default();
    let (busy, sparing) = (flow("busy", "p", 1), flow("sparing", "p", 1));
    fill(&mut queue, &busy, 2_000);
    fill(&mut queue, &sparing, 1);
    let mut running = None;
    // The sparing one takes its next turn before the one before is over, and little of the time.
    for _ in 0..500 {
        let (turn, served) = queue.pop(|_| true).unwrap();
        if served == sparing {
            if let Some(before) = running.replace(turn) {
                queue.settle(before, 10_000);
            }
            fill(&mut queue, &sparing, 1);
        } else {
            queue.settle(turn, 1_000_000);
        }
    }
    fill(&mut queue, &sparing, 500);
    let served = serve(&mut queue, 100, |_| 1_000_000);
    let of_busy = served.iter().filter(|flow| **flow == busy).count();
    assert!(of_busy >= 45, "{of_busy} of 100");
}

#[test]
fn who_may_not_is_passed_over_and_not_forgotten() {
    let mut queue = FairQueue::default();
    let (first, second) = (flow("first", "p", 1), flow("second", "p", 1));
    fill(&mut queue, &first, 1);
    fill(&mut queue, &second, 1);
    let (turn, served) = queue.pop(|tenant| *tenant != first.tenant).unwrap();
    assert_eq!(served, second);
    queue.settle(turn, 1_000);
    assert!(queue.pop(|tenant| *tenant != first.tenant).is_none());
    assert!(!queue.is_empty());
    assert_eq!(queue.pop(|_| true).unwrap().1, first);
}

#[test]
fn what_a_long_turn_took_so_far_counts_before_it_ends() {
    let mut queue = FairQueue::default();
    let (long, other) = (flow("long", "p", 1), flow("other", "p", 1));
    fill(&mut queue, &long, 2);
    fill(&mut queue, &other, 3);
    let (mut turn, served) = queue.pop(|_| true).unwrap();
    assert_eq!(served, long);
    queue.charge(&mut turn, 10_000_000);
    let served = serve(&mut queue, 3, |_| 1_000_000);
    assert!(served.iter().all(|flow| *flow == other), "{served:?}");
    queue.settle(turn, 10_000_000);
    assert_eq!(queue.pop(|_| true).unwrap().1, long);
}

#[test]
fn what_is_done_is_forgotten() {
    let mut queue = FairQueue::default();
    for number in 0..100 {
        fill(&mut queue, &flow(&format!("t{number}"), "p", 1), 3);
    }
    serve(&mut queue, usize::MAX, |_| 1_000_000);
    assert!(
        queue.tenants.flows.is_empty(),
        "{:?}",
        queue.tenants.flows.keys()
    );
}

proptest! {
    /// Of two tenants that both wait all the time, none is ever ahead of the other by more than the largest pieces
    /// of work of both, by weight: the bound that start-time fair queueing has, and as much again for what guesses
    /// put right late.
    #[test]
    fn no_tenant_is_far_ahead(
        costs in prop::collection::vec((1_u64..20, 1_u64..20), 50..300),
        weights in (1_u16..8, 1_u16..8),
    ) {
        let mut queue = FairQueue::default();
        let flows = [flow("a", "p", weights.0), flow("b", "p", weights.1)];
        fill(&mut queue, &flows[0], costs.len() + 1);
        fill(&mut queue, &flows[1], costs.len() + 1);
        let mut used = [0.0_f64; 2];
        for (a, b) in &costs {
            let (turn, served) = queue.pop(|_| true).unwrap();
            let index = usize::from(served == flows[1]);
            let nanos = [a, b][index] * 1_000_000;
            queue.settle(turn, nanos);
            used[index] += nanos as f64 / f64::from(flows[index].weight);
            let largest = 19e6 / f64::from(weights.0) + 19e6 / f64::from(weights.1);
            prop_assert!((used[0] - used[1]).abs() <= 2.0 * largest, "{used:?}");
        }
    }

    /// Nothing is lost, and each plugin's own come in their order.
    #[test]
    fn everything_is_served_once_and_in_its_order(
        pushes in prop::collection::vec((0_usize..4, 0_usize..3, any::<bool>()), 1..200),
    ) {
        let mut queue = FairQueue::default();
        let mut served = Vec::new();
        let take = |queue: &mut FairQueue<(usize, usize, usize)>, served: &mut Vec<_>| {
            if let Some((turn, item)) = queue.pop(|_| true) {
                queue.settle(turn, 1_000);
                served.push(item);
            }
        };
        for (number, &(tenant, plugin, pop)) in pushes.iter().enumerate() {
            queue.push(&flow(&format!("t{tenant}"), &format!("p{plugin}"), 1), (tenant, plugin, number));
            if pop {
                take(&mut queue, &mut served);
            }
        }
        while served.len() < pushes.len() {
            let before = served.len();
            take(&mut queue, &mut served);
            prop_assert!(served.len() > before, "{} of {} came out", before, pushes.len());
        }
        prop_assert!(queue.pop(|_| true).is_none());
        for tenant in 0..4 {
            for plugin in 0..3 {
                let order: Vec<_> = served.iter().filter(|item| (item.0, item.1) == (tenant, plugin)).collect();
                prop_assert!(order.is_sorted_by_key(|item| item.2));
            }
        }
    }
}
