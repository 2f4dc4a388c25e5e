//! Decides what is told of brands and of ID cards.

use crate::command::Command;
use crate::decide::{Context, Decision, made};
use crate::error::DomainError;
use crate::event::Event;
use crate::{brand, id_card};

pub(crate) fn decide(ctx: &mut Context<'_>, command: Command) -> Result<Decision, DomainError> {
    match command {
        Command::AddBrand(c) => made(brand::add(ctx, c)?, Event::BrandAdded),
        Command::ChangeBrand(c) => {
            let c = brand::change(ctx, c)?;
            Ok(Decision::one(c.brand.clone(), Event::BrandChanged(c)))
        }
        Command::CloseBrand(c) => {
            let c = brand::close(ctx, c)?;
            Ok(Decision::one(c.brand.clone(), Event::BrandClosed(c)))
        }
        Command::LicenseBrand(c) => made(brand::license(ctx, c)?, Event::BrandLicensed),
        Command::EndBrandLicence(c) => {
            let c = brand::end_licence(ctx, c)?;
            Ok(Decision::one(c.licence.clone(), Event::BrandLicenceEnded(c)))
        }
        Command::SaveIdCard(c) => {
            let e = id_card::save(ctx, c)?;
            Ok(Decision::one(e.id_card.clone(), Event::IdCardSaved(e)))
        }
        Command::SubmitIdCard(c) => {
            let e = id_card::submit(ctx, c)?;
            Ok(Decision::one(e.id_card.clone(), Event::IdCardSubmitted(e)))
        }
        Command::ReviewIdCard(c) => {
            let e = id_card::review(ctx, c)?;
            Ok(Decision::one(e.id_card.clone(), Event::IdCardReviewed(e)))
        }
        Command::PublishIdCard(c) => {
            let e = id_card::publish(ctx, c)?;
            Ok(Decision::one(e.id_card.clone(), Event::IdCardPublished(Box::new(e))))
        }
        Command::WithdrawIdCard(c) => {
            let e = id_card::withdraw(ctx, c)?;
            Ok(Decision::one(e.id_card.clone(), Event::IdCardWithdrawn(e)))
        }
        other => Err(DomainError::Forbidden { action: other.name() }),
    }
}
