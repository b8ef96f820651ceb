//! Many things at once, but not too many.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use temporalio_workflow::WorkflowContext;

/// Runs `run` for each of the items, at most `limit` at once (at least one), and answers with the outputs in the items'
/// order. A new one begins as soon as another ends.
///
/// It is deterministic: what runs is looked at in the order in which it began, so a replay begins the next one at the
/// same place. An output that is an error stops nothing; return `Result`s, and look at them afterwards.
///
/// Workflow cancellation reaches what runs, by its own cancellation; items that have not begun do begin, and see it at
/// once. To stop earlier, ask `ctx.cancellation_token()` in `run`.
///
/// ```ignore
/// let sent = fan_out(ctx, 10, recipients, |ctx, recipient| async move {
///     send_email(recipient).run(&ctx).await
/// })
/// .await;
/// ```
pub async fn fan_out<W, I, F, R>(
    ctx: &WorkflowContext<W>,
    limit: usize,
    items: I,
    mut run: F,
) -> Vec<R::Output>
where
    I: IntoIterator,
    F: FnMut(WorkflowContext<W>, I::Item) -> R,
    R: Future,
{
    let mut work = items.into_iter().map(|item| run(ctx.clone(), item));
    let mut window = Window::new(limit);
    poll_fn(|cx| window.poll(&mut work, cx)).await;
    window.outputs.into_iter().flatten().collect()
}

/// What runs, and what has come of the rest.
struct Window<R: Future> {
    limit: usize,
    /// By the places of their outputs.
    running: Vec<(usize, Pin<Box<R>>)>,
    outputs: Vec<Option<R::Output>>,
}

impl<R: Future> Window<R> {
    fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            running: Vec::new(),
            outputs: Vec::new(),
        }
    }

    fn poll(&mut self, work: &mut impl Iterator<Item = R>, cx: &mut Context<'_>) -> Poll<()> {
        self.advance(cx);
        // What begins now may end at once, and make room for the next.
        while self.running.len() < self.limit {
            let Some(next) = work.next() else {
                break;
            };
            self.running.push((self.outputs.len(), Box::pin(next)));
            self.outputs.push(None);
            let at = self.running.len() - 1;
            self.advance_from(at, cx);
        }
        if self.running.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        self.advance_from(0, cx);
    }

    fn advance_from(&mut self, first: usize, cx: &mut Context<'_>) {
        let mut at = first;
        while at < self.running.len() {
            let (place, future) = &mut self.running[at];
            match future.as_mut().poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(output) => {
                    self.outputs[*place] = Some(output);
                    self.running.remove(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    /// Ends at the poll of the given number, and notes when it began.
    fn job(
        number: usize,
        polls: usize,
        begun: &Rc<RefCell<Vec<usize>>>,
        open: &Rc<Cell<usize>>,
    ) -> impl Future<Output = usize> + use<> {
        let (begun, open) = (begun.clone(), open.clone());
        let mut left = polls;
        let mut started = false;
        poll_fn(move |_| {
            if !started {
                started = true;
                begun.borrow_mut().push(number);
                open.set(open.get() + 1);
            }
            left -= 1;
            if left > 0 {
                return Poll::Pending;
            }
            open.set(open.get() - 1);
            Poll::Ready(number)
        })
    }

    #[test]
    fn outputs_keep_the_items_order_and_the_limit_holds() {
        let (begun, open) = (Rc::default(), Rc::default());
        let polls = [3, 1, 2, 1, 1, 4];
        let mut work = polls
            .iter()
            .enumerate()
            .map(|(number, polls)| job(number, *polls, &begun, &open));
        let mut window = Window::new(2);
        let mut cx = Context::from_waker(Waker::noop());
        let mut turns = 0;
        while window.poll(&mut work, &mut cx).is_pending() {
            assert!(open.get() <= 2, "{} at once", open.get());
            turns += 1;
            assert!(turns < 20, "it ends");
        }
        let outputs: Vec<usize> = window.outputs.into_iter().flatten().collect();
        assert_eq!(outputs, [0, 1, 2, 3, 4, 5]);
        assert_eq!(*begun.borrow(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn no_items_are_no_work_and_a_limit_of_none_is_one() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut none = Window::new(0);
        let nothing = &mut std::iter::empty::<std::future::Ready<()>>();
        assert!(none.poll(nothing, &mut cx).is_ready());
        let mut one = Window::new(0);
        let ready = &mut [1, 2].into_iter().map(std::future::ready);
        assert!(one.poll(ready, &mut cx).is_ready());
        assert_eq!(one.outputs, [Some(1), Some(2)]);
    }
}
