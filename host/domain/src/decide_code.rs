//! Decides what is told of codes: packs, scans, collected certificates, what labels look like.

use crate::collection::{self, Goods};
use crate::command::Command;
use crate::decide::{Context, Decision, made};
use crate::error::DomainError;
use crate::event::Event;
use crate::{
    certificate, label_template, mirror_log, national_code_set, pack, print_job, scan, scan_policy,
};

pub(crate) fn decide(ctx: &mut Context<'_>, command: Command) -> Result<Decision, DomainError> {
    match command {
        Command::IssueCertificate(c) => {
            let printer = c.printer.clone();
            let issued = certificate::issue(ctx, *c)?;
            let label = match printer {
                Some(printer) => print_job::first(ctx, &issued.certificate, &printer)?,
                None => None,
            };
            let id = issued.certificate.content.code.clone();
            let certificate = Event::CertificateIssued(Box::new(issued.certificate));
            let mut decision = Decision::one(id, certificate);
            decision.events.extend(issued.marked.map(Event::RangeMarked));
            decision.events.extend(label.map(Event::PrintQueued));
            Ok(decision)
        }
        Command::CountScans(counts) => Ok(match scan::count(ctx.state, counts, ctx.time)? {
            Some((counted, suspected)) => {
                let mut decision = Decision::one("", Event::ScansCounted(counted));
                decision.events.extend(suspected.into_iter().map(Event::CodeSuspected));
                decision
            }
            None => Decision::nothing("", ""),
        }),
        Command::CheckCode(c) => {
            let c = scan::check(ctx, c)?;
            Ok(Decision::one(c.code.clone(), Event::CodeChecked(c)))
        }
        Command::ScratchCode(c) => {
            let code = c.code.clone();
            Ok(match scan::scratch(ctx, c)? {
                Some(c) => Decision::one(code, Event::CodeScratched(c)),
                None => Decision::nothing(code, "known"),
            })
        }
        Command::SettleSuspicion(c) => {
            let c = scan::settle(ctx, c)?;
            Ok(Decision::one(c.code.clone(), Event::SuspicionSettled(c)))
        }
        Command::SetScanPolicy(c) => made(scan_policy::set(ctx, c)?, Event::ScanPolicySet),
        Command::OrderPack(c) => made(pack::order(ctx, c)?, Event::PackOrdered),
        Command::MarkRange(c) => {
            let c = pack::mark(ctx, c)?;
            Ok(Decision::one(c.pack.clone(), Event::RangeMarked(c)))
        }
        Command::CancelPack(c) => {
            let c = pack::cancel(ctx, c)?;
            Ok(Decision::one(c.pack.clone(), Event::PackCancelled(c)))
        }
        Command::CollectProof(c) => {
            let collected = collection::collect(ctx, c)?;
            let mut events = match collected.goods {
                Goods::There => Vec::new(),
                Goods::Opened(lot) => vec![Event::LotOpened(*lot)],
                Goods::HandedOver(step) => vec![Event::StepTaken(step)],
            };
            let id = collected.collection.id.clone();
            events.push(Event::ProofCollected(Box::new(collected.collection)));
            Ok(Decision { events, id, note: "" })
        }
        Command::ImportMirrorLog(c) => {
            let imported = mirror_log::import(ctx, c)?;
            let id = imported.log.name.clone();
            let mut decision = Decision::one(id, Event::MirrorLogImported(imported.log));
            decision.events.extend(imported.counted.map(Event::ScansCounted));
            decision.events.extend(imported.suspected.into_iter().map(Event::CodeSuspected));
            Ok(decision)
        }
        Command::StrikeCollection(c) => {
            let c = collection::strike(ctx, c)?;
            Ok(Decision::one(c.collection.clone(), Event::CollectionStruck(c)))
        }
        Command::SaveLabelTemplate(c) => {
            let template = label_template::save(ctx, c)?;
            let id = template.id.clone();
            Ok(Decision::one(id, Event::LabelTemplateSaved(Box::new(template))))
        }
        Command::CloseLabelTemplate(c) => {
            let c = label_template::close(ctx, c)?;
            Ok(Decision::one(c.label_template.clone(), Event::LabelTemplateClosed(c)))
        }
        Command::SetNationalCode(c) => {
            let id = c.id.clone();
            Ok(match national_code_set::set(ctx, c)? {
                Some(c) => Decision::one(id, Event::NationalCodeSet(c)),
                None => Decision::nothing(id, "known"),
            })
        }
        other => Err(DomainError::Forbidden { action: other.name() }),
    }
}
