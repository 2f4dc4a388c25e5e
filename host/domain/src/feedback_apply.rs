//! What the public said, as events leave it: the item, how much waits, and the tally of a product.

use crate::event::Event;
use crate::feedback::{
    ALL_CODES, Feedback, FeedbackModerated, FeedbackQueue, FeedbackStatus, FeedbackTally, RECENT,
    queue_of,
};
use crate::state::{Overlay, State, StateError};
use crate::time::Time;

pub(crate) fn apply(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::FeedbackLeft(e) => left(o, e),
        Event::FeedbackModerated(e) => moderated(o, e, time),
        Event::FeedbackClosed(e) => {
            let mut code = String::new();
            o.update::<Feedback>(&e.feedback, |one| {
                one.status = FeedbackStatus::Closed;
                one.outcome.clone_from(&e.outcome);
                one.handled_by.clone_from(&e.by);
                one.handled_at = Some(time);
                code.clone_from(&one.code);
            })?;
            queued(o, &code, -1)
        }
        _ => Ok(()),
    }
}

fn left(o: &mut Overlay<'_>, e: &Feedback) -> Result<(), StateError> {
    queued(o, &e.code, 1)?;
    o.update::<FeedbackQueue>(&e.code, |queue| {
        queue.recent.push(e.id.clone());
        let over = queue.recent.len().saturating_sub(RECENT);
        queue.recent.drain(..over);
    })?;
    o.create(e)
}

fn moderated(o: &mut Overlay<'_>, e: &FeedbackModerated, time: Time) -> Result<(), StateError> {
    let mut before = None;
    o.update::<Feedback>(&e.feedback, |one| {
        before = Some((one.status, one.code.clone(), one.product.clone(), one.stars));
        one.status = e.status;
        one.reason.clone_from(&e.reason);
        one.reply.clone_from(&e.reply);
        one.handled_by.clone_from(&e.by);
        one.handled_at = Some(time);
    })?;
    let Some((was, code, product, stars)) = before else { return Ok(()) };
    if was == FeedbackStatus::Waiting {
        queued(o, &code, -1)?;
    }
    let (was_shown, is_shown) = (was == FeedbackStatus::Shown, e.status == FeedbackStatus::Shown);
    if was_shown != is_shown {
        count(o, &product, u64::from(stars.unwrap_or_default()), is_shown)?;
    }
    if was_shown || is_shown {
        // Pages of the product's codes show it, or do not any more.
        o.touch(format!("product/{product}"));
    }
    Ok(())
}

fn count(o: &mut Overlay<'_>, product: &str, stars: u64, is_more: bool) -> Result<(), StateError> {
    let state: &dyn State = &*o;
    let mut tally: FeedbackTally = state.get(product)?.unwrap_or_default();
    product.clone_into(&mut tally.product);
    if is_more {
        tally.shown += 1;
        tally.stars_sum += stars;
    } else {
        tally.shown = tally.shown.saturating_sub(1);
        tally.stars_sum = tally.stars_sum.saturating_sub(stars);
    }
    o.put(&tally)
}

/// One more waits, or one less.
fn queued(o: &mut Overlay<'_>, code: &str, by: i32) -> Result<(), StateError> {
    for id in [ALL_CODES, code] {
        let mut queue = queue_of(&*o, id)?;
        queue.waiting = queue.waiting.saturating_add_signed(by);
        o.put(&queue)?;
    }
    Ok(())
}
