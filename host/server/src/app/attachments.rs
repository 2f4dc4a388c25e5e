//! Records with photos and documents: what a record refers to is on disk before the record is decided,
//! what nobody refers to is swept away after a day.

use std::sync::Weak;
use std::time::Duration;

use tianyin_domain::activity::{self, Activity, CorrectActivity, RecordActivity};
use tianyin_domain::attachment::Attachment;
use tianyin_domain::brand::{self, Brand};
use tianyin_domain::certificate::{self, Certificate};
use tianyin_domain::certification::{self, AddCertification, Certification};
use tianyin_domain::collection::{self, CollectProof, Collection};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::document::{self, Document, FileDocument};
use tianyin_domain::id_card::{self, IdCard};
use tianyin_domain::objection::{self, Objection};
use tianyin_domain::recall::{self, RecallNote};
use tianyin_domain::sampling::{self, Sampling};
use tianyin_domain::state::Index;
use tianyin_domain::step::{self, Step, TakeStep};
use tianyin_domain::test::{self, Test};
use tianyin_domain::{Actor, DomainError, Entity, FieldError, Scope};
use tianyin_journal::Reader;
use tianyin_store::PageQuery;

use super::{App, AppError, Versions};
use crate::blobs::{Blob, BlobError, ORPHAN, Upload};

/// Orphans are looked for this often.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Orphans removed in one sweep; the rest goes with the next.
const SWEEP_MAX: usize = 1000;

/// Indexes of records with attachments, by digest.
const ATTACHED: [Index; 12] = [
    activity::BY_ATTACHMENT,
    step::BY_ATTACHMENT,
    recall::NOTE_ATTACHMENT,
    sampling::BY_ATTACHMENT,
    objection::BY_ATTACHMENT,
    test::BY_ATTACHMENT,
    document::BY_ATTACHMENT,
    certification::BY_ATTACHMENT,
    id_card::BY_ATTACHMENT,
    brand::BY_ATTACHMENT,
    certificate::BY_ATTACHMENT,
    collection::BY_ATTACHMENT,
];

impl App {
    /// Records an activity, with its photos.
    pub async fn record_activity(
        &self,
        actor: &Actor,
        command: RecordActivity,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::RecordActivity(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Puts another record in the place of a wrong one, with its photos.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn correct_activity(
        &self,
        actor: &Actor,
        command: CorrectActivity,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.data.attachments.clone();
        let command = Command::CorrectActivity(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Takes a step of lots, with its photos.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn take_step(
        &self,
        actor: &Actor,
        command: TakeStep,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        self.submit_attached(actor, Command::TakeStep(command), &attachments, idempotency_key).await
    }

    /// Collects a supplier's certificate, with its photos.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn collect_proof(
        &self,
        actor: &Actor,
        command: CollectProof,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::CollectProof(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Files a document, with its scans.
    pub async fn file_document(
        &self,
        actor: &Actor,
        command: FileDocument,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::FileDocument(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Adds or changes a brand, with its sign and papers; `command` is one of the two.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn put_brand(
        &self,
        actor: &Actor,
        command: Command,
        idempotency_key: Option<String>,
        seen: &Versions,
    ) -> Result<Outcome, AppError> {
        let attachments = match &command {
            Command::AddBrand(c) => c.attachments.clone(),
            Command::ChangeBrand(c) => c.data.attachments.clone(),
            _ => Vec::new(),
        };
        self.submit_attached_based(actor, command, &attachments, idempotency_key, seen).await
    }

    /// Puts a certification on record, with its pictures; the kind is one of the table.
    ///
    /// # Errors
    /// As the domain refuses; a kind that the table does not have.
    pub async fn add_certification(
        &self,
        actor: &Actor,
        command: AddCertification,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        if self.certification_kind(&command.kind).is_none() {
            return Err(DomainError::field("kind", "bad_choice").into());
        }
        let attachments = command.attachments.clone();
        let command = Command::AddCertification(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Every attachment must be a blob that the actor uploaded just now or sees on another record, and be
    /// what the command says it is.
    pub(super) async fn submit_attached(
        &self,
        actor: &Actor,
        command: Command,
        attachments: &[Attachment],
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let none = Versions::new();
        self.submit_attached_based(actor, command, attachments, idempotency_key, &none).await
    }

    /// The same for a command that was based on versions of records.
    pub(super) async fn submit_attached_based(
        &self,
        actor: &Actor,
        command: Command,
        attachments: &[Attachment],
        idempotency_key: Option<String>,
        seen: &Versions,
    ) -> Result<Outcome, AppError> {
        let submitted = self.submit_based(actor, command, idempotency_key, seen);
        self.attached(actor, attachments, submitted).await
    }

    /// The same around what submits a command; it is begun when the attachments are in order.
    pub(super) async fn attached(
        &self,
        actor: &Actor,
        attachments: &[Attachment],
        submitted: impl Future<Output = Result<Outcome, AppError>>,
    ) -> Result<Outcome, AppError> {
        self.check_attachments(actor, attachments)?;
        let outcome = submitted.await?;
        for one in attachments {
            self.blobs.settle(&one.hash, &actor.name());
        }
        Ok(outcome)
    }

    fn check_attachments(&self, actor: &Actor, list: &[Attachment]) -> Result<(), AppError> {
        let mut faults = Vec::new();
        // More than the domain allows are not looked at: it refuses them all.
        for (i, one) in list.iter().take(tianyin_domain::attachment::ATTACHMENTS_MAX).enumerate() {
            let known = match self.may_see_blob(actor, &one.hash)? {
                true => self.blobs.look(&one.hash).map_err(AppError::internal)?,
                false => None,
            };
            let code = match known {
                None => "file_not_uploaded",
                Some(blob) if (blob.kind, blob.bytes) != (one.kind, one.bytes) => "file_differs",
                Some(_) => continue,
            };
            let field = format!("attachments[{i}]");
            faults.push(FieldError { field, code: code.into(), params: Default::default() });
        }
        if faults.is_empty() { Ok(()) } else { Err(DomainError::Invalid(faults).into()) }
    }

    /// Whether a blob is on a record in the actor's sight, or was uploaded by the actor just now.
    pub fn may_see_blob(&self, actor: &Actor, hash: &str) -> Result<bool, AppError> {
        if let Actor::Device { .. } = actor {
            return Ok(false);
        }
        let scope = actor.scope();
        if self.blobs.is_fresh(hash, &actor.name()) {
            return Ok(true);
        }
        // Brands are for everybody to know, and so are their signs.
        Ok(self.has_one::<Activity>(activity::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Step>(step::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<RecallNote>(recall::NOTE_ATTACHMENT, hash, &scope)?
            || self.has_one::<Sampling>(sampling::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Objection>(objection::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Test>(test::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Document>(document::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Certification>(certification::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<IdCard>(id_card::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Certificate>(certificate::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Collection>(collection::BY_ATTACHMENT, hash, &scope)?
            || self.has_one::<Brand>(brand::BY_ATTACHMENT, hash, &Scope::everything())?)
    }

    fn has_one<E: Entity>(
        &self,
        index: Index,
        hash: &str,
        scope: &Scope,
    ) -> Result<bool, AppError> {
        let mut query = PageQuery::new(index, hash);
        query.limit = 1;
        let found = self.store.page::<E>(&query, scope).map_err(AppError::internal)?;
        Ok(!found.items.is_empty())
    }

    /// Makes an upload durable; its uploader may refer to it for an hour. Blocks.
    pub fn keep_blob(&self, actor: &Actor, upload: Upload) -> Result<Blob, AppError> {
        upload.finish(&self.blobs, &actor.name()).map_err(AppError::from)
    }

    fn is_on_record(&self, hash: &str) -> anyhow::Result<bool> {
        for index in ATTACHED {
            if self.store.count(index, hash)? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes blobs that have been on no record for a day. Blocks.
    ///
    /// The store says which are on no record, and the journal is asked again before anything is
    /// removed: the store can be built anew, a photo cannot.
    fn sweep_orphans(&self) -> anyhow::Result<usize> {
        let mut orphans = Vec::new();
        for hash in self.blobs.older_than(ORPHAN, usize::MAX)? {
            if !self.is_on_record(&hash)? {
                orphans.push(hash);
            }
            if orphans.len() == SWEEP_MAX {
                break;
            }
        }
        if orphans.is_empty() {
            return Ok(0);
        }
        let mut reader = Reader::new(&self.config.data.join("journal"), 1);
        for line in reader.lines_up_to(self.store.applied_seq()) {
            let line = line?;
            if line.events.get().contains("\"attachments\"") {
                orphans.retain(|hash| !line.events.get().contains(hash.as_str()));
            }
        }
        let mut removed = 0;
        for hash in orphans {
            removed += usize::from(self.blobs.remove_orphan(&hash, ORPHAN)?);
        }
        Ok(removed)
    }
}

/// Sweeps now and then, as long as the appliance runs.
pub async fn sweep(app: Weak<App>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(app) = app.upgrade() else { return };
        let swept = tokio::task::spawn_blocking(move || app.sweep_orphans()).await;
        match swept {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "uploads that nobody used are removed"),
            Ok(Err(e)) => tracing::error!(error = %e, "unused uploads could not be removed"),
            Err(e) => tracing::error!(error = %e, "the sweep of unused uploads ended"),
        }
    }
}

impl From<BlobError> for AppError {
    fn from(error: BlobError) -> Self {
        let code = match error {
            BlobError::Kind => "blob_kind",
            BlobError::Empty => "blob_empty",
            BlobError::TooLarge => "blob_too_large",
            BlobError::TooMany => "blob_too_many",
            BlobError::Io(e) => return Self::internal(e),
        };
        Self::refused(code)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::blobs::path_of;
    use crate::config::Config;
    use tianyin_domain::Event;

    fn upload(app: &App, content: &[u8]) -> Blob {
        let mut upload = app.blobs.begin().unwrap();
        upload.write(content).unwrap();
        app.keep_blob(&Actor::system("test"), upload).unwrap()
    }

    fn age(app: &App, blob: &Blob) {
        let path = path_of(&app.config.data.join("blobs"), &blob.hash);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * ORPHAN).unwrap();
        app.blobs.settle(&blob.hash, &Actor::system("test").name());
    }

    async fn open() -> (Arc<App>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().join("data"), ..Config::default() };
        (App::open(config).unwrap(), dir)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_sweep_takes_what_no_record_has() {
        let (app, _dir) = open().await;
        crate::demo::fill(&app, "correct-horse-9", "http://127.0.0.1:8080", "127.0.0.1:9100")
            .await
            .unwrap();
        let mut query = PageQuery::new(activity::BY_OPERATOR, "");
        query.limit = 1;
        let page = app.store.page::<Activity>(&query, &Scope::everything()).unwrap();
        let model = page.items.first().unwrap();
        let kept = upload(&app, b"\xff\xd8\xff on a record");
        let photo = |blob: &Blob| Attachment {
            hash: blob.hash.clone(),
            kind: blob.kind,
            bytes: blob.bytes,
            name: "a.jpg".into(),
        };
        let command = |photo: Attachment| RecordActivity {
            site: model.site.clone(),
            product: model.product.clone(),
            lot: None,
            kind: activity::ActivityKind::Other,
            date: model.date,
            stopped_on: None,
            input: None,
            dose: String::new(),
            note: String::new(),
            water_tenths: None,
            attachments: vec![photo],
        };
        let actor = Actor::system("test");
        let recorded = app.record_activity(&actor, command(photo(&kept)), None).await.unwrap();
        assert!(recorded.written);

        // What is not there, or is something else than said, is refused.
        let mut wrong = photo(&kept);
        wrong.bytes += 1;
        for (wrong, code) in [
            (wrong, "file_differs"),
            (Attachment { hash: "0".repeat(64), ..photo(&kept) }, "file_not_uploaded"),
            (Attachment { hash: "../x".into(), ..photo(&kept) }, "file_not_uploaded"),
        ] {
            let refused = app.record_activity(&actor, command(wrong), None).await.unwrap_err();
            assert_eq!(refused.fields()[0].code, code);
            assert_eq!(refused.fields()[0].field, "attachments[0]");
        }

        let unused = upload(&app, b"\xff\xd8\xff never used");
        let young = upload(&app, b"\xff\xd8\xff just now");
        age(&app, &kept);
        age(&app, &unused);
        assert_eq!(app.sweep_orphans().unwrap(), 1);
        assert_eq!(app.blobs.look(&unused.hash).unwrap(), None);
        assert!(app.blobs.look(&kept.hash).unwrap().is_some());
        assert!(app.blobs.look(&young.hash).unwrap().is_some());
        assert_eq!(app.sweep_orphans().unwrap(), 0);
        // Every event with attachments says so by this word: the sweep relies on it.
        let event = Event::ActivityRecorded(app.store.get(&recorded.id).unwrap().unwrap());
        assert!(serde_json::to_string(&event).unwrap().contains("\"attachments\":[{\"hash\":\""));
    }
}
