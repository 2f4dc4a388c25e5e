//! What the public says of a code: taken in for people without an account, and read again by everybody
//! once a clerk has let it through.

use tianyin_domain::actor::Actor;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::feedback::{Feedback, FeedbackTally, LeaveFeedback, SHOWN};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Scope, State};

use super::{App, AppError};

/// Ratings of a product that a page shows, the newest ones.
const SHOWN_ITEMS: usize = 5;

/// Ratings of a product that everybody may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicFeedback {
    /// How many there are.
    pub shown: u64,
    /// Their average in tenths of a star, 10 to 50; `None` without any.
    pub stars_tenths: Option<u32>,
    /// The newest of them, the newest first.
    pub items: Vec<ShownFeedback>,
}

/// A rating that everybody may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFeedback {
    /// Stars, 1 to 5.
    pub stars: u8,
    /// In words, perhaps none.
    pub text: String,
    /// Day in China.
    pub on: Date,
    /// The county's reply, perhaps none.
    pub reply: String,
}

impl App {
    /// Takes in what somebody says of a code.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn leave_feedback(&self, said: LeaveFeedback) -> Result<Outcome, AppError> {
        self.submit(&Actor::system("public"), Command::LeaveFeedback(said)).await
    }

    /// Ratings of a product that everybody may read. They change with the root `product/…`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn public_feedback(&self, product: &str) -> Result<PublicFeedback, AppError> {
        let state: &dyn State = &self.store;
        let tally: FeedbackTally = state.get(product)?.unwrap_or_default();
        if tally.shown == 0 {
            return Ok(PublicFeedback::default());
        }
        let newest: Vec<Feedback> = self
            .store
            .newest((SHOWN, product), &Scope::everything(), SHOWN_ITEMS)
            .map_err(AppError::internal)?;
        let items = newest.into_iter().map(|one| ShownFeedback {
            stars: one.stars.unwrap_or_default(),
            text: one.text,
            on: china_date(one.at),
            reply: one.reply,
        });
        let stars_tenths = average_tenths(&tally);
        Ok(PublicFeedback { shown: tally.shown, stars_tenths, items: items.collect() })
    }
}

/// The average, to the nearest tenth of a star.
fn average_tenths(tally: &FeedbackTally) -> Option<u32> {
    let doubled = tally.stars_sum.saturating_mul(20).saturating_add(tally.shown);
    let tenths = doubled.checked_div(tally.shown.saturating_mul(2))?;
    u32::try_from(tenths).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_to_the_nearest_tenth() {
        let of = |shown, stars_sum| {
            average_tenths(&FeedbackTally { product: String::new(), shown, stars_sum })
        };
        assert_eq!(of(0, 0), None);
        assert_eq!(of(1, 5), Some(50));
        assert_eq!(of(2, 9), Some(45));
        // 4.333 and 4.666; 4.25 goes up.
        assert_eq!((of(3, 13), of(3, 14), of(4, 17)), (Some(43), Some(47), Some(43)));
    }
}
