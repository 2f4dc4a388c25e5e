//! Documents (电子档案): filed, closed, never removed.

use tianyin_domain::Command;
use tianyin_domain::attachment::{Attachment, BlobKind};
use tianyin_domain::document::{self, CloseDocument, Document, DocumentKind, FileDocument};
use tianyin_domain::history::History;

use crate::farm::{Farm, approved, clerk, producer, register};

pub fn paper(farm: &Farm) -> FileDocument {
    FileDocument {
        operator: farm.operator.clone(),
        site: Some(farm.site.clone()),
        product: None,
        kind: DocumentKind::Environment,
        title: " 产地环境监测报告 ".into(),
        number: "XT-2026-17".into(),
        issuer: "县农检站".into(),
        valid_to: None,
        attachments: vec![Attachment {
            hash: "a".repeat(64),
            kind: BlobKind::Pdf,
            bytes: 1000,
            name: "报告.pdf".into(),
        }],
    }
}

#[test]
fn a_document_is_filed_by_its_owner_and_closed_with_a_reason() {
    let mut farm = Farm::new();
    let owner = farm.producer();
    let id = farm.world.ok(&owner, Command::FileDocument(paper(&farm)));
    let filed: Document = farm.world.get(&id);
    assert_eq!((filed.title.as_str(), filed.closed.as_ref()), ("产地环境监测报告", None));
    assert_eq!(filed.filed_by, "user/usr_producer");
    let by_file = farm.world.state().ids(document::BY_ATTACHMENT, &"a".repeat(64), 9).unwrap();
    assert_eq!(by_file, std::slice::from_ref(&id));

    let close = |reason: &str| {
        Command::CloseDocument(CloseDocument { document: id.clone(), reason: reason.into() })
    };
    assert_eq!(farm.world.no(&producer("opr_other"), close("错")), "no document");
    assert_eq!(farm.world.no(&owner, close(" ")), "reason:required");
    farm.world.ok(&owner, close("已换新"));
    assert_eq!(farm.world.get::<Document>(&id).closed.as_deref(), Some("已换新"));
    assert_eq!(farm.world.no(&clerk(), close("再关")), "no_change");
    let history: History = farm.world.get(&format!("operator/{}", farm.operator));
    assert_eq!(history.seqs[history.seqs.len() - 2..].len(), 2);
    assert_eq!(history.seqs.last(), Some(&(farm.world.lines.len() as u64)));
}

#[test]
fn a_document_without_a_file_or_about_anothers_site_is_refused() {
    let mut farm = Farm::new();
    let nothing = FileDocument { attachments: vec![], title: String::new(), ..paper(&farm) };
    let told = farm.world.no(&clerk(), Command::FileDocument(nothing));
    assert_eq!(told, "title:required attachments:required");
    let other = approved(&mut farm.world, register("乙社", "91110000600037341L"));
    let strange = FileDocument { operator: other, ..paper(&farm) };
    assert_eq!(farm.world.no(&clerk(), Command::FileDocument(strange)), "site:other_operator");
}
