//! Shapes of the records that go out. Vault tokens, digests of tokens, what rules read: not here.

use tianyin_domain::activity::Activity;
use tianyin_domain::agency::Agency;
use tianyin_domain::authorisation::Authorisation;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::Code;
use tianyin_domain::county::County;
use tianyin_domain::device::Device;
use tianyin_domain::document::Document;
use tianyin_domain::input::Input;
use tianyin_domain::message::Message;
use tianyin_domain::operator::Operator;
use tianyin_domain::print_job::PrintJob;
use tianyin_domain::product::Product;
use tianyin_domain::site::Site;
use tianyin_domain::test::Test;
use tianyin_domain::user::User;

use super::inputs::INPUT;
use super::packs::UNIT;
use super::route::Shown;
use super::schema::Kind::{
    Boolean, Choice, Date, Decimal, Formed, Integer, List, Object, Position, Text, Time, Whole,
};
use super::schema::{Kind, Schema, line, opt, req};
use super::test_shapes::TEST;

/// A shape, in short.
macro_rules! shape {
    ($name:literal, $about:literal, [$($field:expr),* $(,)?]) => {
        Schema { name: $name, about: $about, fields: &[$($field),*] }
    };
}
pub(super) use shape;

macro_rules! shown {
    ($($record:ty => $schema:ident at $path:literal),* $(,)?) => {
        $(impl Shown for $record {
            const SCHEMA: &'static Schema = &$schema;
            const PATH: &'static str = $path;
        })*
    };
}

shown! {
    Operator => OPERATOR at "/operators",
    Site => SITE at "/sites",
    Product => PRODUCT at "/products",
    Input => INPUT at "/inputs",
    Activity => ACTIVITY at "/activities",
    Document => DOCUMENT at "/documents",
    Device => DEVICE at "/devices",
    Message => MESSAGE at "/messages",
    Test => TEST at "/tests",
    Authorisation => AUTHORISATION at "/authorisations",
    Certificate => CERTIFICATE at "/certificates",
    PrintJob => PRINT_JOB at "/print_jobs",
    Code => CODE at "/codes",
    Agency => AGENCY at "/agencies",
    User => USER at "/users",
    County => COUNTY at "/county",
}

pub const OPERATOR_KIND: Kind = Choice(&[
    "enterprise",
    "cooperative",
    "family_farm",
    "farmer",
    "collective",
    "buyer",
    "wholesale_market",
    "supermarket",
    "canteen",
]);
pub const OPERATOR_STATUS: Kind =
    Choice(&["submitted", "approved", "returned", "suspended", "withdrawn", "exited"]);
pub const DOCUMENT_KIND: Kind = Choice(&[
    "licence",
    "environment",
    "land",
    "certification",
    "brand",
    "procedure",
    "test_report",
    "picture",
    "other",
]);
pub const SITE_KIND: Kind =
    Choice(&["field", "greenhouse", "orchard", "tea_garden", "pond", "house", "workshop", "other"]);
pub const PRODUCT_CLASS: Kind =
    Choice(&["vegetable", "fruit", "fresh_tea", "livestock", "egg", "aquatic", "other"]);
pub const INPUT_KIND: Kind =
    Choice(&["pesticide", "veterinary_drug", "fertiliser", "feed", "other"]);
pub const LOT_STATUS: Kind = Choice(&["open", "held", "void"]);
pub const BLOB_KIND: Kind = Choice(&["jpeg", "png", "webp", "pdf"]);
pub const ACTIVITY_KIND: Kind = Choice(&[
    "planting",
    "fertilising",
    "treatment",
    "pest_control",
    "harvest",
    "processing",
    "other",
    "irrigation",
    "feeding",
    "immunisation",
    "disease",
    "disinfection",
    "water_quality",
    "disposal",
]);
pub const DEVICE_KIND: Kind = Choice(&["analyzer", "scanner", "printer"]);
pub const DEVICE_STATUS: Kind = Choice(&["pending", "approved", "disabled"]);
pub const MESSAGE_STATUS: Kind =
    Choice(&["received", "quarantined", "accepted", "duplicate", "conflict", "dead"]);
pub const VERDICT: Kind = Choice(&["pass", "hold", "deny"]);
pub const TEST_VERDICT: Kind = Choice(&["pass", "fail", "invalid"]);
pub const METHOD: Kind =
    Choice(&["enzyme_inhibition", "colloidal_gold", "elisa", "chromatography", "other"]);
pub const VALUE_KIND: Kind = Choice(&["inhibition_rate", "concentration", "qualitative"]);
pub const QUALIFIER: Kind = Choice(&["=", "<", ">", "ND", "<LOQ"]);
pub const BASIS: Kind =
    Choice(&["quality_control", "self_test", "commissioned_test", "self_commitment"]);
pub const CERTIFICATE_STATUS: Kind = Choice(&["valid", "void"]);
pub const PRINT_STATUS: Kind = Choice(&["queued", "printing", "printed", "failed", "cancelled"]);
pub const ROLE: Kind = Choice(&["administrator", "clerk", "officer", "producer"]);
pub const AGENCY_KIND: Kind =
    Choice(&["supervision", "testing", "enforcement", "station", "service_point"]);

pub const AGENCY: Schema = shape!(
    "Agency",
    "A body whose people work with the system.",
    [
        req("id", Text, "Id, `agy_…`."),
        req("name", Text, "Full name."),
        req("kind", AGENCY_KIND, "Kind."),
        req("area", Text, "Region code it is responsible for."),
        opt(
            "delegated_only",
            Boolean,
            "Its people see the operators delegated to it and no others; absent is false."
        ),
    ]
);

pub const OPERATOR: Schema = shape!(
    "Operator",
    "A production operator (生产经营主体).",
    [
        req("id", Text, "Id, `opr_…`."),
        opt("code", Text, "Operator code (主体码), 8 characters."),
        req("name", Text, "Registered name."),
        req("kind", OPERATOR_KIND, "Kind."),
        opt("uscc", Text, "Unified social credit code; empty for farmers."),
        opt("uscc_override", Text, "Why a wrong check character was accepted."),
        opt("same_name_override", Text, "Why it is another one than that of the same name there."),
        req("area", Text, "Region code of the township."),
        req("area_name", Text, "Region in words."),
        opt("address", Text, "Address below the township."),
        opt("contact_name", Text, "Contact person."),
        opt("contact_phone", Text, "Contact phone; masked for natural persons."),
        req("status", OPERATOR_STATUS, "Status."),
        opt("status_reason", Text, "Reason of the last review."),
        req("registered_at", Time, "When it was registered here."),
        opt("national_code", Text, "Subject code of the national platform."),
    ]
);

pub const SITE: Schema = shape!(
    "Site",
    "A site (产地).",
    [
        req("id", Text, "Id, `sit_…`."),
        req("operator", Text, "Operator."),
        req("name", Text, "Name."),
        req("area", Text, "Region code."),
        req("area_name", Text, "Region in words."),
        req("size_mu", Decimal, "Size in 亩, as declared."),
        opt("kind", SITE_KIND, "Kind; `other` when absent."),
        opt("position", Position, "A point on it, `longitude,latitude` in degrees, CGCS2000."),
        opt("outline", List(&Position), "Its corners in order."),
        opt("closed", Text, "Why it is not used any more."),
    ]
);

pub const PRODUCT: Schema = shape!(
    "Product",
    "A product of an operator.",
    [
        req("id", Text, "Id, `prd_…`."),
        req("operator", Text, "Operator."),
        req("name", Text, "Name as sold."),
        req("class", PRODUCT_CLASS, "Class."),
        opt("crop", Text, "Crop or species as registrations name it."),
        opt("variety", Text, "Variety."),
        req("unit", Text, "Unit of quantity."),
        req("method_unsuitable", Boolean, "Enzyme inhibition does not work on it."),
        req("area", Text, "Region code of the operator."),
        opt("closed", Text, "Why it is not made any more."),
        opt("national_class", Text, "Class of the national platform, 8 digits."),
    ]
);

pub const INPUT_USE: Schema = shape!(
    "InputUse",
    "What was used, as it stood in the catalogue on that day.",
    [
        req("input", Text, "Input."),
        req("name", Text, "Name."),
        req("kind", INPUT_KIND, "Kind."),
        req("substances", List(&Text), "Active substances."),
        opt(
            "interval_days",
            Integer,
            "Interval for this crop; absent when the label has no such use."
        ),
        opt("dose", Text, "Dose as applied."),
        opt("version", Integer, "Version of the input that held on the last day of use."),
        opt("interval_degree_days", Integer, "Interval in degree-days, where the label tells one."),
        opt("ended", Boolean, "The registration had ended by that day."),
        opt("label_dose", Text, "Dose as on the label."),
        opt("max_uses", Integer, "Most uses in a season by the label."),
    ]
);

pub const BLOB: Schema = shape!(
    "Blob",
    "An uploaded file.",
    [
        req("hash", Text, "SM3 of the content, 64 lower-case hex digits; its name."),
        req("kind", BLOB_KIND, "What it is, by its first bytes."),
        req("bytes", Integer, "Size, at most 8388608."),
    ]
);

pub const ATTACHMENT: Schema = shape!(
    "Attachment",
    "A photo or document of a record; `hash`, `kind` and `bytes` as the upload answered.",
    [
        req("hash", Formed("^[0-9a-f]{64}$"), "Digest of the uploaded file."),
        req("kind", BLOB_KIND, "What it is."),
        req("bytes", Whole(1, 8_388_608), "Size."),
        opt("name", line(128), "Name of the file."),
    ]
);

pub const DOCUMENT: Schema = shape!(
    "Document",
    "A document of an operator (电子档案).",
    [
        req("id", Text, "Id, `doc_…`."),
        req("operator", Text, "Operator it belongs to."),
        opt("site", Text, "Site it is about."),
        opt("product", Text, "Product it is about."),
        req("area", Text, "Region code."),
        req("kind", DOCUMENT_KIND, "Kind."),
        req("title", Text, "Title."),
        opt("number", Text, "Number on the paper."),
        opt("issuer", Text, "Who issued it."),
        opt("valid_to", Date, "Last day it is good for; absent without an end."),
        req("attachments", List(&Object(&ATTACHMENT)), "Photos or scans."),
        req("filed_at", Time, "When it was filed."),
        opt("closed", Text, "Why it does not count any more."),
    ]
);

pub const ACTIVITY: Schema = shape!(
    "Activity",
    "A production record (生产记录).",
    [
        req("id", Text, "Id, `act_…`."),
        req("operator", Text, "Operator."),
        req("site", Text, "Site."),
        req("product", Text, "Product."),
        opt("lot", Text, "Lot, when it belongs to one lot only."),
        req("area", Text, "Region code."),
        req("kind", ACTIVITY_KIND, "Kind."),
        req("date", Date, "First day."),
        opt("stopped_on", Date, "Last day."),
        opt("input", Object(&INPUT_USE), "Input used."),
        opt("note", Text, "Remarks."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos and documents."),
        opt("water_tenths", Integer, "Water temperature in tenths of a degree Celsius."),
        opt("recorded_at", Time, "When it was written down."),
        opt("corrects", Object(&CORRECTION), "The record in whose place it stands."),
        opt("corrected_by", Text, "The record that stands in its place; it counts no more."),
        opt("struck", Text, "Why it was struck out; it counts no more."),
    ]
);

const CORRECTION: Schema = shape!(
    "Correction",
    "What a production record corrects.",
    [req("activity", Text, "The record before."), req("reason", Text, "Why it was wrong.")]
);

pub const DEVICE: Schema = shape!(
    "Device",
    "An analyzer, scanner or printer.",
    [
        req("id", Text, "Id, also its MQTT user name."),
        req("name", Text, "Name."),
        req("kind", DEVICE_KIND, "Kind."),
        opt("model", Text, "Model."),
        opt("place", Text, "Where it stands."),
        opt("area", Text, "Region code."),
        opt("operator", Text, "Operator that owns it; absent for an agency's."),
        opt("bench", Text, "Bench."),
        opt("decoder", Text, "Plugin that decodes what it sends on `up/raw`."),
        opt("address", Text, "Network address of a printer."),
        opt("dpi", Integer, "Resolution of a printer."),
        req("status", DEVICE_STATUS, "Status."),
        req("added_at", Time, "When it was first known."),
        opt("online", Boolean, "Whether it is connected now."),
        opt("last_message_at", Time, "When it last sent something."),
    ]
);

pub const MESSAGE: Schema = shape!(
    "Message",
    "A device's message; what it sent is kept raw.",
    [
        req("id", Text, "Id, `msg_…`."),
        req("device", Text, "Device."),
        req("kind", Choice(&["result", "raw", "scan"]), "Kind, by topic."),
        req("sha256", Text, "SHA-256 of the bytes, hex."),
        req("received_at", Time, "Server's time of receipt."),
        req("status", MESSAGE_STATUS, "Status."),
        opt("reason", Text, "Code of the reason (dead, conflict)."),
        opt("detail", Text, "Detail of the reason."),
        req("problems", List(&Text), "What the decoder stepped over."),
        req("tests", List(&Text), "Tests made of it."),
        opt("area", Text, "Region code of the device."),
        opt("raw", Text, "The bytes, base64; only in the answer for one message."),
    ]
);

pub const FINDING: Schema = shape!(
    "Finding",
    "One reason of a rule's outcome.",
    [
        req("item", Text, "Item of the rule."),
        req("verdict", VERDICT, "What it alone would lead to."),
        req("text", Text, "A sentence in Chinese."),
        opt("evidence", List(&Text), "References such as `activity/act_…`."),
        opt(
            "points_tenths",
            Integer,
            "Points in tenths, negative for a deduction; absent without."
        ),
        opt("line", Integer, "Line of the rule's script; 0 when unknown."),
    ]
);

pub const JUDGEMENT: Schema = shape!(
    "Judgement",
    "What a rule said.",
    [
        req("rule", Text, "Rule."),
        req("revision", Text, "Digest of the rule's script and tables."),
        req("verdict", VERDICT, "Outcome."),
        req("findings", List(&Object(&FINDING)), "Reasons."),
    ]
);

pub const AUTHORISATION: Schema = shape!(
    "Authorisation",
    "A standing authorisation to issue certificates.",
    [
        req("id", Text, "Id, `aut_…`."),
        req("operator", Text, "Operator that grants it."),
        opt("product", Text, "Product; every product when absent."),
        req("granted_by", Text, "Person who granted it."),
        req("evidence", Text, "Evidence on paper."),
        req("auto_issue", Boolean, "A passing test issues and prints at once."),
        opt("printer", Text, "Printer for automatic labels."),
        req("valid_from", Date, "First day."),
        opt("valid_to", Date, "Last day; open-ended when absent."),
        opt("revoked_at", Time, "When it was revoked."),
        req("area", Text, "Region code."),
    ]
);

pub const CONTENT: Schema = shape!(
    "CertificateContent",
    "Public content of a certificate: printed, signed, frozen.",
    [
        req("code", Text, "Code."),
        req("form", Text, "Form, such as `producer-2026`."),
        req("commitment", Text, "Commitment, byte-exact."),
        req("basis", List(&BASIS), "Basis (承诺依据)."),
        req("product", Text, "Product."),
        req("quantity", Decimal, "Quantity."),
        req("unit", Text, "Unit."),
        req("origin", Text, "Origin."),
        req("producer", Text, "Producer; a natural person's name is masked."),
        req("contact", Text, "Contact; a natural person's phone is masked."),
        req("issued_on", Date, "Day of issue."),
        req("lot_no", Text, "Lot number."),
        req("county", Text, "County."),
        opt("packages", Integer, "Packages of one content (一包一证)."),
        opt("vehicle", Text, "Number plate (一车一证), masked."),
        opt("national_code", Text, "Long trace code of the national platform."),
        opt("national_short_code", Text, "Short trace code of the national platform."),
    ]
);

const BASIS_BOX: Schema = shape!(
    "BasisBox",
    "A tick box of the basis.",
    [req("basis", BASIS, "Basis."), req("text", Text, "Its words on this form.")]
);

const CERTIFICATE_FORM: Schema = shape!(
    "CertificateForm",
    "A form (样式) as it was on the day of issue.",
    [
        req("id", Text, "Id, such as `buyer-2026`."),
        req("name", Text, "Name for people."),
        req("title", Text, "Heading."),
        req("valid_from", Date, "First day."),
        opt("valid_to", Date, "Last day."),
        req("issuer", Choice(&["producer", "buyer"]), "Who commits."),
        req("commitment", Text, "Commitment, or what stands before its items."),
        opt("items", List(&Text), "Lines of the commitment."),
        opt("bases", List(&Object(&BASIS_BOX)), "Boxes of the basis."),
    ]
);

pub const PAPER_ENTRY: Schema = shape!(
    "PaperEntry",
    "A numbered form that was filled in by hand.",
    [
        req("code", Text, "Code on the form."),
        req("issued_on", Date, "Day written on it."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos; uploaded before."),
    ]
);

pub const CERTIFICATE: Schema = shape!(
    "Certificate",
    "A commitment certificate (承诺达标合格证).",
    [
        req("content", Object(&CONTENT), "Frozen content; its code is the id."),
        req("proof", Text, "Offline proof `TY1.{fields}.{signature}`."),
        req("operator", Text, "Operator."),
        req("lot", Text, "Lot."),
        req("product", Text, "Product."),
        req("area", Text, "Region code."),
        req("tests", List(&Text), "Tests that prove the basis."),
        req("judgement", Object(&JUDGEMENT), "What the rule said."),
        opt("authorisation", Text, "Authorisation, when not the producer's own act."),
        req("issued_by", Text, "Who issued."),
        req("issued_at", Time, "When."),
        opt("replaces", Text, "Certificate it replaces."),
        opt("replaced_by", Text, "Certificate that replaces it."),
        req("status", CERTIFICATE_STATUS, "Status."),
        opt("form", Object(&CERTIFICATE_FORM), "Its form; absent for form 1 of 2026."),
        opt("vehicle", Text, "Full number plate."),
        opt("paper", Object(&PAPER_ENTRY), "It was written by hand before."),
        opt("void_reason", Text, "Why it was voided."),
        opt("voided_at", Time, "When it was voided."),
    ]
);

pub const PRINT_JOB: Schema = shape!(
    "PrintJob",
    "A label on its way to a printer.",
    [
        req("id", Text, "Id, `job_…`."),
        req("certificate", Text, "Certificate."),
        req("printer", Text, "Printer."),
        req("copies", Integer, "Copies."),
        req("status", PRINT_STATUS, "Status."),
        opt("error", Text, "Why it failed: `code` or `code|detail`."),
        req("queued_at", Time, "When it was queued."),
        opt("ended_at", Time, "When it was printed, failed or cancelled."),
        req("operator", Text, "Operator."),
        req("area", Text, "Region code."),
        opt("reason", Text, "Why it is printed again."),
        opt("template", Text, "Template of the label; absent is the one usual for the product."),
        opt("retries", Integer, "How often somebody had it tried again; absent is never."),
        opt("begun_at", Time, "When the last try began that may have put something on paper."),
        opt("queued_by", Text, "Who had it printed, or tried again."),
    ]
);

pub const CODE: Schema = shape!(
    "Code",
    "What a code stands for.",
    [
        req("code", Text, "Code."),
        opt("certificate", Text, "Certificate; absent while it stands for none."),
        opt("lot", Text, "Lot."),
        opt("operator", Text, "Operator."),
        opt("area", Text, "Region code."),
        opt("bound_at", Time, "When it was bound."),
        req("scans", Integer, "Scans so far."),
        opt("first_scan_at", Time, "First scan."),
        req("checks", Integer, "Market checks (查验)."),
        opt("last_check_at", Time, "Last market check."),
        opt("unit", Object(&UNIT), "Its place in a pack."),
        opt("areas", List(&Object(&AREA_COUNT)), "Cities it was scanned in, as far as known."),
        opt("suspicion", Object(&SUSPICION), "Why its label may have been copied."),
        opt("scratched_at", Time, "When the number under its scratch layer was typed first."),
    ]
);

const AREA_COUNT: Schema = shape!(
    "AreaCount",
    "Scans in one city.",
    [
        req("area", Text, "Region code of the city, 4 digits."),
        req("count", Integer, "How many."),
        req("first_at", Time, "First of them, to the minute in which it was counted."),
    ]
);

const SUSPICION: Schema = shape!(
    "Suspicion",
    "Scans that look as if a label had been copied.",
    [
        req("at", Time, "When it was noticed."),
        req("cause", Choice(&["cities", "rate"]), "Too many cities, or too often in a day."),
        req("status", SUSPICION_STATUS, "How it stands."),
        opt("note", Text, "What the county found."),
        opt("settled_at", Time, "When it found that."),
    ]
);

/// Words of [`tianyin_domain::scan::SuspicionStatus`].
pub const SUSPICION_STATUS: Kind = Choice(&["open", "copied", "cleared"]);

pub const USER: Schema = shape!(
    "User",
    "A person who signs in.",
    [
        req("id", Text, "Id, `usr_…`."),
        req("username", Text, "Sign-in name."),
        req("name", Text, "Name."),
        req("role", ROLE, "Role."),
        opt("area", Text, "Region-code prefix of the user's sight; empty is the county."),
        opt("operator", Text, "Operator the user acts for."),
        opt("agency", Text, "Agency the user works for; absent for the county's supervision."),
        opt("office", AGENCY_KIND, "Its kind."),
        req("active", Boolean, "Whether the user may sign in."),
    ]
);

pub const COUNTY: Schema = shape!(
    "County",
    "Settings of the installation.",
    [
        req("area", Text, "GB/T 2260 code."),
        req("name", Text, "Name."),
        req("full_name", Text, "Province, city and county in words."),
        req("public_url", Text, "Address in QR codes, scheme included."),
    ]
);
