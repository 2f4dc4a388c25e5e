//! What the journal says should be there: photos, secrets, certificates, and how many of everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tianyin_domain::attachment::Attachment;
use tianyin_domain::device::{Device, DeviceKind, DeviceStatus};
use tianyin_domain::id_card::IdCard;
use tianyin_domain::mirror_log::MirrorLog;
use tianyin_domain::signing_key::SigningKey;
use tianyin_domain::{Entity, Event, Time};
use tianyin_journal::{JournalError, Reader};

/// Certificates whose proofs are checked.
const PROOFS_MAX: usize = 128;

/// What is on record up to a line.
#[derive(Debug, Default)]
pub struct OnRecord {
    /// The last line read.
    pub seq: u64,
    /// Its time.
    pub last_time: Option<Time>,
    /// Blobs, by digest: size and the record that refers to them first.
    pub blobs: BTreeMap<String, (u64, String)>,
    /// Vault tokens with the record that holds them now.
    pub secrets: BTreeMap<String, String>,
    /// Some of the certificates, spread over all: code and proof.
    pub proofs: Vec<(String, String)>,
    /// Signing keys, the oldest first; none as long as the first one is in force.
    pub signing_keys: Vec<SigningKey>,
    /// Check of the key that codes of packs are made with; none before the first pack.
    pub code_key: Option<String>,
    /// Printers in use: id and network address.
    pub printers: BTreeMap<String, String>,
    /// Records by table.
    pub counts: BTreeMap<&'static str, u64>,
    holders: BTreeMap<String, String>,
    devices: BTreeSet<String>,
    id_cards: BTreeSet<String>,
    noted: BTreeSet<String>,
    certificates: usize,
    stride: usize,
}

impl OnRecord {
    /// Reads the journal up to line `until`. A damaged line ends it: the error tells which, the rest
    /// what stands before it.
    pub fn read(journal: &Path, until: u64) -> (Self, Option<anyhow::Error>) {
        let mut all = Self { stride: 1, ..Self::default() };
        let mut reader = Reader::new(journal, 1);
        let mut fault = None;
        for line in reader.lines_up_to(until) {
            if let Err(e) = line.map_err(Into::into).and_then(|line| all.line(&line)) {
                fault = Some(e);
                break;
            }
        }
        all.secrets = std::mem::take(&mut all.holders).into_iter().map(|(r, t)| (t, r)).collect();
        (all, fault)
    }

    /// The same, where a damaged line is an error.
    pub fn read_whole(journal: &Path, until: u64) -> anyhow::Result<Self> {
        let (all, fault) = Self::read(journal, until);
        fault.map_or(Ok(all), Err)
    }

    fn line(&mut self, line: &tianyin_journal::Line) -> anyhow::Result<()> {
        let events: Vec<Event> = serde_json::from_str(line.events.get())
            .map_err(|e| anyhow::anyhow!("journal line {}: {e}", line.seq))?;
        for event in events {
            self.event(event);
        }
        self.seq = line.seq;
        self.last_time = line.time.parse().ok();
        Ok(())
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::CountyConfigured(_) => {
                self.counts.insert("county", 1);
            }
            Event::AgencyAdded(e) => self.made(&e),
            Event::UserAdded(e) => {
                self.made(&e);
                // Who has none signs in with a card.
                if !e.credential.is_empty() {
                    self.holders.insert(format!("user/{}", e.id), e.credential);
                }
            }
            Event::CredentialChanged(e) => {
                let holder = format!("user/{}", e.user);
                let earlier = |n: usize| format!("{holder}/earlier/{n}");
                let mut gone = 0;
                while self.holders.remove(&earlier(gone)).is_some() {
                    gone += 1;
                }
                for (n, token) in e.earlier.into_iter().enumerate() {
                    self.holders.insert(earlier(n), token);
                }
                self.holders.insert(holder, e.credential);
            }
            Event::OperatorRegistered(e) => {
                self.made(&e);
                if let Some(secret) = e.contact_secret {
                    self.holders.insert(format!("operator/{}", e.id), secret);
                }
            }
            Event::OperatorChanged(e) => {
                let holder = format!("operator/{}", e.operator);
                match e.data.contact_secret {
                    Some(secret) => self.holders.insert(holder, secret),
                    None => self.holders.remove(&holder),
                };
            }
            Event::SiteAdded(e) => self.made(&e),
            Event::ProductAdded(e) => self.made(&e),
            Event::InputAdded(e) => self.made(&e),
            Event::LotOpened(e) => self.made(&e),
            Event::ActivityRecorded(e) | Event::ActivityCorrected(e) => {
                self.made(&e);
                self.attached(e.attachments, format!("activity/{}", e.id));
            }
            Event::StepTaken(e) => {
                self.made(&e.step);
                // One that something was added to was made by another step.
                let fresh = e.lots.iter().filter(|lot| lot.step.as_ref() == Some(&e.step.id));
                fresh.for_each(|lot| self.made(lot));
                self.attached(e.step.attachments, format!("step/{}", e.step.id));
            }
            Event::AccessNoted(e) => self.made(&e),
            Event::RecallStarted(e) => self.made(&e),
            Event::RecallNoted(e) => {
                if self.noted.insert(e.id.clone()) {
                    self.made(&e);
                }
                self.attached(e.attachments, format!("recall_note/{}", e.id));
            }
            Event::TracePolicySet(_) => {
                self.counts.insert("trace_policy", 1);
            }
            Event::ScanPolicySet(_) => {
                self.counts.insert("scan_policy", 1);
            }
            Event::PolicySet(_) => {
                self.counts.insert("policy", 1);
            }
            Event::TokenMade(e) => self.made(&e),
            Event::TotpEnrolled(e) => {
                self.holders.insert(format!("totp/{}", e.user), e.secret);
            }
            Event::TotpRemoved(e) => {
                self.holders.remove(&format!("totp/{}", e.user));
            }
            Event::CardIssued(e) => {
                self.holders.insert(format!("card/{}", e.operator), e.pin);
            }
            Event::DocumentFiled(e) => {
                self.made(&e);
                self.attached(e.attachments, format!("document/{}", e.id));
            }
            Event::BrandAdded(e) => {
                self.made(&e);
                self.attached(e.attachments, format!("brand/{}", e.id));
            }
            Event::BrandChanged(e) => {
                self.attached(e.data.attachments, format!("brand/{}", e.brand));
            }
            Event::BrandLicensed(e) => self.made(&e),
            Event::CertificationAdded(e) => {
                self.made(&e);
                self.attached(e.attachments, format!("certification/{}", e.id));
            }
            Event::ShopLinkAdded(e) => self.made(&e),
            Event::IdCardSaved(e) => {
                if self.id_cards.insert(e.id_card.clone()) {
                    *self.counts.entry(IdCard::TABLE.0).or_default() += 1;
                }
                self.attached(e.data.attachments, format!("id_card/{}", e.id_card));
            }
            Event::MessageReceived(e) => self.made(&e),
            Event::TestRecorded(e) => self.made(&*e),
            Event::SampleTaken(e) => {
                self.made(&*e);
                self.attached(e.attachments, format!("sampling/{}", e.id));
            }
            Event::ObjectionFiled(e) => {
                self.made(&e);
                self.attached(e.attachments, format!("objection/{}", e.id));
            }
            Event::PositiveSettled(e) => {
                self.attached(e.settled.attachments, format!("test/{}", e.settled.test));
            }
            Event::MirrorLogImported(e) if self.noted.insert(format!("mirror_log/{}", e.name)) => {
                *self.counts.entry(MirrorLog::TABLE.0).or_default() += 1;
            }
            Event::AuthorisationGranted(e) => self.made(&e),
            Event::PrintQueued(e) => self.made(&e),
            Event::CertificateIssued(e) => {
                self.made(&*e);
                let photos = e.paper.map(|paper| paper.attachments).unwrap_or_default();
                self.attached(photos, format!("certificate/{}", e.content.code));
                self.sample(e.content.code, e.proof);
            }
            Event::FeedbackLeft(e) => self.made(&e),
            Event::PackOrdered(e) => {
                self.made(&e);
                self.code_key = Some(e.key_check);
            }
            Event::ProofCollected(e) => {
                self.made(&*e);
                self.attached(e.attachments, format!("collection/{}", e.id));
            }
            Event::LabelTemplateSaved(e) if self.noted.insert(e.id.clone()) => self.made(&*e),
            Event::KeyRotated(e) => {
                self.key(e.old);
                self.key(e.new);
            }
            Event::DevicePaired(e) | Event::DeviceApproved(e) => self.device(e),
            Event::DeviceDisabled(e) => {
                self.printers.remove(&e.id);
            }
            _ => {}
        }
    }

    fn made<E: Entity>(&mut self, _: &E) {
        *self.counts.entry(E::TABLE.0).or_default() += 1;
    }

    fn attached(&mut self, list: Vec<Attachment>, holder: String) {
        for one in list {
            self.blobs.entry(one.hash).or_insert_with(|| (one.bytes, holder.clone()));
        }
    }

    fn device(&mut self, device: Device) {
        let in_use = device.status == DeviceStatus::Approved && !device.address.is_empty();
        if device.kind == DeviceKind::Printer && in_use {
            self.printers.insert(device.id.clone(), device.address.clone());
        }
        if self.devices.insert(device.id.clone()) {
            self.made(&device);
        }
    }

    fn key(&mut self, key: SigningKey) {
        match self.signing_keys.iter_mut().find(|known| known.id == key.id) {
            Some(known) => *known = key,
            None => {
                self.made(&key);
                self.signing_keys.push(key);
            }
        }
    }

    /// Keeps every `stride`-th certificate; when there are too many, every second of those.
    fn sample(&mut self, code: String, proof: String) {
        if self.certificates.is_multiple_of(self.stride) {
            self.proofs.push((code, proof));
        }
        self.certificates += 1;
        if self.proofs.len() > PROOFS_MAX {
            let mut keep = false;
            self.proofs.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
    }
}

/// The segment and line of a damage, in words.
pub fn place_of(error: &JournalError, data: &Path) -> String {
    match error {
        JournalError::Damaged(d) => {
            let file = d.segment.strip_prefix(data).unwrap_or(&d.segment).display().to_string();
            match d.line {
                0 => format!("{file} 字节 / byte {}", d.offset),
                line => format!("{file} 行 / line {line}, 字节 / byte {}", d.offset),
            }
        }
        other => other.to_string(),
    }
}
