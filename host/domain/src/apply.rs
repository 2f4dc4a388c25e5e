//! An event becomes puts. Total over every journal ever written: nothing is refused here, and no
//! rule, plugin or clock is asked.

use crate::access::{Access, AccessKind};
use crate::activity::Activity;
use crate::agency::Agency;
use crate::application;
use crate::apply_code;
use crate::authorisation::Authorisation;
use crate::base_map;
use crate::brand::{self, Brand, BrandLicence};
use crate::cell::Cell;
use crate::certification::Certification;
use crate::delegation::{self, Delegation};
use crate::device::{Bench, Device, DeviceStatus};
use crate::document::Document;
use crate::event::Event;
use crate::feedback_apply;
use crate::history::remember;
use crate::hold;
use crate::id_card::{self, IdCard, IdCardStatus};
use crate::input::InputVersion;
use crate::login::Totp;
use crate::lot;
use crate::message::{Content, Message, MessageStatus};
use crate::mirror_log;
use crate::operator::{self, Operator};
use crate::print_job;
use crate::product::{self, Product};
use crate::recall::{Recall, RecallStatus};
use crate::sampling::{self, Sampling, SamplingStatus};
use crate::shop_link::ShopLink;
use crate::site::{self, Site};
use crate::state::{Overlay, State, StateError};
use crate::step_apply;
use crate::test_apply;
use crate::time::Time;
use crate::token::ApiToken;
use crate::user::{self, User};

/// Applies one event of the line that [`Overlay::begin_line`] named. `time` is the line's.
pub fn apply(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::CountyConfigured(e) => {
            // Pages tell where everybody finds them.
            o.touch(root("county", &e.id));
            o.put(e)
        }
        Event::AgencyAdded(e) => {
            remember(o, root("agency", &e.id))?;
            o.put(e)
        }
        Event::AccessNoted(e) => apply_access(o, e),
        Event::UserAdded(e) => {
            if let Some(operator) = &e.operator {
                remember(o, root("operator", operator))?;
            }
            remember(o, root("user", &e.id))?;
            apply_user(o, e, time)
        }
        Event::CredentialChanged(e) => {
            remember(o, root("user", &e.user))?;
            o.update::<User>(&e.user, |u| user::credential_changed(u, e, time))
        }
        Event::ActiveChanged(e) => {
            remember(o, root("user", &e.user))?;
            o.update::<User>(&e.user, |u| {
                u.active = e.active;
                if !e.active {
                    u.login.tokens_from = Some(time);
                }
            })
        }
        Event::PolicySet(e) => o.put(e),
        Event::TotpEnrolled(e) => change_totp(o, &e.user, |totp| {
            let (secret, recovery) = (e.secret.clone(), e.recovery.clone());
            *totp = Some(Totp { secret, recovery, since: time });
        }),
        Event::RecoveryUsed(e) => change_totp(o, &e.user, |totp| {
            if let Some(totp) = totp {
                totp.recovery.retain(|digest| *digest != e.code_sha256);
            }
        }),
        Event::TotpRemoved(e) => change_totp(o, &e.user, |totp| *totp = None),
        Event::TokenMade(e) => {
            remember(o, root("user", &e.user))?;
            o.create(e)
        }
        Event::TokenRevoked(e) => {
            let mut user = String::new();
            o.update::<ApiToken>(&e.token, |token| {
                token.revoked_at = Some(time);
                user.clone_from(&token.user);
            })?;
            remember(o, root("user", &user))
        }
        Event::TokenUsed(e) => o.update::<ApiToken>(&e.token, |token| token.used_at = Some(time)),
        Event::OperatorRegistered(e) => {
            change(o, "operator", &e.id)?;
            o.put(&operator::recorded(e))
        }
        Event::OperatorChanged(e) => {
            change(o, "operator", &e.operator)?;
            o.update::<Operator>(&e.operator, |op| operator::changed(op, &e.data))
        }
        Event::OperatorWithdrawn(e) => {
            change(o, "operator", &e.operator)?;
            o.update::<Operator>(&e.operator, application::withdrawn)
        }
        Event::CardIssued(e) => {
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::DocumentFiled(e) => {
            remember(o, root("operator", &e.operator))?;
            o.create(e)
        }
        Event::DocumentClosed(e) => {
            let mut operator = String::new();
            o.update::<Document>(&e.document, |document| {
                document.closed = Some(e.reason.clone());
                operator.clone_from(&document.operator);
            })?;
            remember(o, root("operator", &operator))
        }
        Event::OperatorReviewed(e) => {
            change(o, "operator", &e.operator)?;
            o.update::<Operator>(&e.operator, |op| {
                op.status = e.status;
                op.status_reason.clone_from(&e.reason);
            })
        }
        Event::SiteAdded(e) => {
            change(o, "site", &e.id)?;
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::SiteChanged(e) => {
            change(o, "site", &e.site)?;
            o.update::<Site>(&e.site, |s| site::changed(s, &e.data))
        }
        Event::SiteClosed(e) => {
            change(o, "site", &e.site)?;
            o.update::<Site>(&e.site, |s| s.closed = Some(e.reason.clone()))
        }
        Event::ProductAdded(e) => {
            change(o, "product", &e.id)?;
            remember(o, root("operator", &e.operator))?;
            o.put(e)
        }
        Event::ProductChanged(e) => {
            change(o, "product", &e.product)?;
            o.update::<Product>(&e.product, |p| product::changed(p, &e.data))
        }
        Event::ProductClosed(e) => {
            change(o, "product", &e.product)?;
            o.update::<Product>(&e.product, |p| p.closed = Some(e.reason.clone()))
        }
        Event::BaseMapLaid(e) => o.put(&base_map::laid(e, time)),
        Event::BrandAdded(_)
        | Event::BrandChanged(_)
        | Event::BrandClosed(_)
        | Event::BrandLicensed(_)
        | Event::BrandLicenceEnded(_) => apply_brand(o, event),
        Event::CertificationAdded(_)
        | Event::CertificationEnded(_)
        | Event::ShopLinkAdded(_)
        | Event::ShopLinkClosed(_) => apply_proof(o, event),
        Event::IdCardSaved(_)
        | Event::IdCardSubmitted(_)
        | Event::IdCardReviewed(_)
        | Event::IdCardPublished(_)
        | Event::IdCardWithdrawn(_) => apply_id_card(o, event, time),
        Event::InputAdded(e) | Event::InputRevised(e) | Event::InputClosed(e) => {
            change(o, "input", &e.id)?;
            o.put(&InputVersion::of(e))?;
            o.put(e)
        }
        Event::LotOpened(e) => {
            o.touch(root("lot", &e.id));
            if let Some(day) = lot::day_of(e) {
                o.put(&day)?;
            }
            o.put(e)
        }
        Event::LotHeld(e) => hold::held(o, e, time),
        Event::LotReleased(e) => hold::released(o, e),
        Event::RecallStarted(e) => o.put(e),
        Event::RecallNoted(e) => o.put(e),
        Event::RecallClosed(e) => o.update::<Recall>(&e.recall, |recall| {
            recall.status = RecallStatus::Closed;
            recall.summary.clone_from(&e.summary);
            recall.closed_at = Some(time);
        }),
        Event::ActivityRecorded(e) => {
            touch_records(o, e);
            o.create(e)
        }
        Event::ActivityCorrected(e) => {
            touch_records(o, e);
            if let Some(correction) = &e.corrects {
                touch_record(o, &correction.activity)?;
                o.update::<Activity>(&correction.activity, |wrong| {
                    wrong.corrected_by = Some(e.id.clone());
                })?;
            }
            o.create(e)
        }
        Event::ActivityStruck(e) => {
            touch_record(o, &e.activity)?;
            o.update::<Activity>(&e.activity, |wrong| wrong.struck = Some(e.reason.clone()))
        }
        Event::StepTaken(e) => step_apply::taken(o, e),
        Event::StepStruck(e) => step_apply::struck(o, &e.step, &e.reason),
        Event::TracePolicySet(e) => o.put(e),
        Event::DevicePaired(e) | Event::DeviceApproved(e) => o.put(e),
        Event::DeviceDisabled(e) => {
            o.update::<Device>(&e.id, |d| d.status = DeviceStatus::Disabled)
        }
        Event::LotScanned(e) if e.bench.is_empty() => Ok(()),
        Event::LotScanned(e) => {
            let (id, lot, sampling) = (e.bench.clone(), e.lot.clone(), e.sampling.clone());
            o.put(&Bench { id, lot, sampling, scanned_at: time })
        }
        Event::MessageReceived(e) => {
            if let Some(content) = Content::of(e) {
                o.create(&content)?;
            }
            o.create(e)
        }
        Event::MessageSettled(e) => o.update::<Message>(&e.message, |m| {
            m.status = e.status;
            m.reason.clone_from(&e.reason);
            m.detail.clone_from(&e.detail);
            m.problems.clone_from(&e.problems);
        }),
        Event::MessageReplayed(e) => {
            o.update::<Message>(&e.message, |m| m.status = MessageStatus::Received)
        }
        Event::TestRecorded(e) => test_apply::recorded(o, e),
        Event::TestAssigned(e) => test_apply::assigned(o, e),
        Event::SampleTaken(e) => sampling::taken(o, e),
        Event::SampleReceived(e) => o.update::<Sampling>(&e.sampling, |one| {
            one.status = SamplingStatus::Received;
            one.received_at = Some(time);
            one.condition.clone_from(&e.condition);
        }),
        Event::SampleCancelled(e) => o.update::<Sampling>(&e.sampling, |one| {
            one.status = SamplingStatus::Cancelled;
            one.cancelled.clone_from(&e.reason);
        }),
        Event::TestVerified(_)
        | Event::TestStruck(_)
        | Event::ResultDelivered(_)
        | Event::PositiveSettled(_) => test_apply::followed(o, event, time),
        Event::ObjectionFiled(e) => o.create(e),
        Event::RetestOrdered(_) | Event::RetestSampleReceived(_) | Event::ObjectionConcluded(_) => {
            test_apply::objected(o, event, time)
        }
        Event::AuthorisationGranted(e) => {
            change(o, "operator", &e.operator)?;
            o.put(e)
        }
        Event::AuthorisationRevoked(e) => apply_revocation(o, &e.authorisation, time),
        Event::CertificateIssued(_)
        | Event::CertificateVoided(_)
        | Event::ScansCounted(_)
        | Event::CodeChecked(_)
        | Event::CodeSuspected(_)
        | Event::SuspicionSettled(_)
        | Event::CodeScratched(_)
        | Event::ScanPolicySet(_)
        | Event::PackOrdered(_)
        | Event::RangeMarked(_)
        | Event::PackCancelled(_)
        | Event::ProofCollected(_)
        | Event::CollectionStruck(_)
        | Event::LabelTemplateSaved(_)
        | Event::LabelTemplateClosed(_)
        | Event::NationalCodeSet(_) => apply_code::apply(o, event, time),
        Event::PrintQueued(e) => o.create(e),
        Event::PrintBegun(_)
        | Event::PrintEnded(_)
        | Event::PrintCancelled(_)
        | Event::PrintRetried(_) => print_job::followed(o, event, time),
        Event::Answered(e) => o.put(e),
        Event::OperatorDelegated(e) => {
            change_delegations(o, &e.agency, &e.operator)?;
            o.update::<Agency>(&e.agency, |agency| agency.delegated_only = true)?;
            o.put(e)
        }
        Event::DelegationEnded(e) => {
            change_delegations(o, &e.agency, &e.operator)?;
            let id = delegation::key(&e.agency, &e.operator);
            o.update::<Delegation>(&id, |one| one.ended = Some(e.reason.clone()))
        }
        Event::CellAdded(e) => {
            change_cell(o, &e.id)?;
            o.put(e)
        }
        Event::CellChanged(e) => {
            change_cell(o, &e.cell.id)?;
            o.put(&e.cell)
        }
        Event::CellEnded(e) => {
            change_cell(o, &e.cell)?;
            o.update::<Cell>(&e.cell, |cell| cell.ended = Some(e.reason.clone()))
        }
        Event::FeedbackLeft(_) | Event::FeedbackModerated(_) | Event::FeedbackClosed(_) => {
            feedback_apply::apply(o, event, time)
        }
        Event::KeyRotated(e) => {
            o.put(&e.old)?;
            o.put(&e.new)
        }
        Event::MirrorLogImported(e) => mirror_log::apply(o, e, time),
    }
}

pub(crate) fn root(noun: &str, id: &str) -> String {
    format!("{noun}/{id}")
}

/// What was based on the record is to be looked at again, and its history tells of the change.
pub(crate) fn change(o: &mut Overlay<'_>, noun: &str, id: &str) -> Result<(), StateError> {
    o.touch(root(noun, id));
    remember(o, root(noun, id))
}

fn apply_brand(o: &mut Overlay<'_>, event: &Event) -> Result<(), StateError> {
    match event {
        Event::BrandAdded(e) => {
            change(o, "brand", &e.id)?;
            touch_owner(o, e.owner.as_ref());
            o.put(e)
        }
        Event::BrandChanged(e) => {
            change(o, "brand", &e.brand)?;
            touch_owner(o, e.data.owner.as_ref());
            o.update::<Brand>(&e.brand, |b| brand::changed(b, &e.data))
        }
        Event::BrandClosed(e) => {
            change(o, "brand", &e.brand)?;
            o.update::<Brand>(&e.brand, |b| b.closed = Some(e.reason.clone()))
        }
        Event::BrandLicensed(e) => {
            change(o, "brand", &e.brand)?;
            change(o, "operator", &e.operator)?;
            o.put(e)
        }
        Event::BrandLicenceEnded(e) => {
            let mut of = (String::new(), String::new());
            o.update::<BrandLicence>(&e.licence, |licence| {
                licence.ended = Some(e.reason.clone());
                of = (licence.brand.clone(), licence.operator.clone());
            })?;
            change(o, "brand", &of.0)?;
            change(o, "operator", &of.1)
        }
        _ => Ok(()),
    }
}

/// Pages of an operator's lots tell of its own brands.
fn touch_owner(o: &mut Overlay<'_>, owner: Option<&String>) {
    if let Some(owner) = owner {
        o.touch(root("operator", owner));
    }
}

/// Certifications and shop links: both speak for products of an operator.
fn apply_proof(o: &mut Overlay<'_>, event: &Event) -> Result<(), StateError> {
    match event {
        Event::CertificationAdded(e) => {
            change(o, "operator", &e.operator)?;
            if let Some(old) = &e.renews {
                let id = e.id.clone();
                o.update::<Certification>(old, |old| old.renewed_by = Some(id))?;
            }
            o.put(e)
        }
        Event::CertificationEnded(e) => {
            let mut operator = String::new();
            o.update::<Certification>(&e.certification, |one| {
                one.ended = Some(e.reason.clone());
                operator.clone_from(&one.operator);
            })?;
            change(o, "operator", &operator)
        }
        Event::ShopLinkAdded(e) => {
            change(o, "product", &e.product)?;
            o.put(e)
        }
        Event::ShopLinkClosed(e) => {
            let mut product = String::new();
            o.update::<ShopLink>(&e.shop_link, |one| {
                one.closed = Some(e.reason.clone());
                product.clone_from(&one.product);
            })?;
            change(o, "product", &product)
        }
        _ => Ok(()),
    }
}

fn apply_id_card(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    let stands = |o: &mut Overlay<'_>, id: &str, status: IdCardStatus, reason: &str| {
        change(o, "id_card", id)?;
        o.update::<IdCard>(id, |card| {
            card.status = status;
            card.status_reason = reason.to_owned();
            card.changed_at = time;
        })
    };
    // Pages of the product's lots tell that it has a card.
    let show = |o: &mut Overlay<'_>, id: &str, change: &dyn Fn(&mut IdCard)| {
        let mut product = String::new();
        o.update::<IdCard>(id, |card| {
            change(card);
            product.clone_from(&card.product);
        })?;
        o.touch(root("product", &product));
        Ok(())
    };
    match event {
        Event::IdCardSaved(e) => {
            change(o, "id_card", &e.id_card)?;
            let state: &dyn State = &*o;
            let before = state.get::<IdCard>(&e.id_card)?;
            o.put(&id_card::saved(before, e, time))
        }
        Event::IdCardSubmitted(e) => stands(o, &e.id_card, IdCardStatus::Submitted, ""),
        Event::IdCardReviewed(e) => stands(o, &e.id_card, e.status, &e.reason),
        Event::IdCardPublished(e) => {
            stands(o, &e.id_card, IdCardStatus::Published, "")?;
            show(o, &e.id_card, &|card| {
                card.code.clone_from(&e.code);
                card.editions = e.edition.number;
                card.edition = Some(e.edition.clone());
            })
        }
        Event::IdCardWithdrawn(e) => {
            stands(o, &e.id_card, IdCardStatus::Withdrawn, &e.reason)?;
            show(o, &e.id_card, &|card| card.edition = None)
        }
        _ => Ok(()),
    }
}

/// Lines of the first format do not tell the kind of the user's agency.
fn apply_user(o: &mut Overlay<'_>, user: &User, time: Time) -> Result<(), StateError> {
    let mut user = user.clone();
    user.login.credential_at = (!user.credential.is_empty()).then_some(time);
    let state: &dyn State = &*o;
    let agency = match (&user.agency, user.office) {
        (Some(id), None) => state.get::<Agency>(id)?,
        _ => None,
    };
    match agency {
        Some(agency) => o.put(&User { office: Some(agency.kind), ..user }),
        None => o.put(&user),
    }
}

/// Whether an account is used is read from the account.
fn apply_access(o: &mut Overlay<'_>, access: &Access) -> Result<(), StateError> {
    if matches!(access.kind, AccessKind::SignIn | AccessKind::Card) {
        o.update::<User>(&access.user, |u| u.login.seen_at = Some(access.at))?;
    }
    o.create(access)
}

fn change_totp(
    o: &mut Overlay<'_>,
    user: &str,
    change: impl FnOnce(&mut Option<Totp>),
) -> Result<(), StateError> {
    remember(o, root("user", user))?;
    o.update::<User>(user, |u| change(&mut u.login.totp))
}

fn apply_revocation(o: &mut Overlay<'_>, id: &str, time: Time) -> Result<(), StateError> {
    let mut operator = String::new();
    o.update::<Authorisation>(id, |a| {
        a.revoked_at = Some(time);
        operator.clone_from(&a.operator);
    })?;
    change(o, "operator", &operator)
}

/// The sight of the service point's people is another one from this line on.
fn change_delegations(o: &mut Overlay<'_>, agency: &str, operator: &str) -> Result<(), StateError> {
    o.touch(root("agency", agency));
    remember(o, root("agency", agency))?;
    remember(o, root("operator", operator))
}

fn change_cell(o: &mut Overlay<'_>, id: &str) -> Result<(), StateError> {
    o.touch(root("cell", id));
    remember(o, root("cell", id))
}

/// What is judged by the records of a site or lot is judged anew.
fn touch_records(o: &mut Overlay<'_>, activity: &Activity) {
    o.touch(root("site", &activity.site));
    if let Some(lot) = &activity.lot {
        o.touch(root("lot", lot));
    }
}

fn touch_record(o: &mut Overlay<'_>, id: &str) -> Result<(), StateError> {
    let state: &dyn State = o;
    if let Some(activity) = state.get::<Activity>(id)? {
        touch_records(o, &activity);
    }
    Ok(())
}
