//! Shapes of tests and of what was measured.

use super::schema::Kind::{Any, Boolean, Choice, Integer, List, Object, Text, Time};
use super::schema::{Kind, Schema, line, opt, req};
use super::shapes::{ATTACHMENT, JUDGEMENT, METHOD, QUALIFIER, TEST_VERDICT, VALUE_KIND, shape};

pub const VALUE: Schema = shape!(
    "Value",
    "A measured value.",
    [
        req(
            "num",
            line(32),
            "Decimal string; `negative`, `positive` or `invalid` for qualitative values."
        ),
        opt("unit", line(16), "Unit, `%` or `mg/kg`."),
        req("kind", VALUE_KIND, "Kind of number."),
        opt(
            "op",
            QUALIFIER,
            "Qualifier; `=` when absent, `ND` not detected, `<LOQ` detected but not quantified."
        ),
    ]
);

pub const ITEM: Schema = shape!(
    "Item",
    "What was looked for.",
    [
        opt("code", Text, "Code, such as `pesticide_op_carb`."),
        opt("name", line(64), "Name in Chinese."),
    ]
);

pub const SAMPLE: Schema = shape!(
    "Sample",
    "The sample as the device knows it.",
    [
        opt("no", Text, "Sample number."),
        opt("name", Text, "Name."),
        opt("batch_code", Text, "Lot number or trace code."),
    ]
);

pub const MEASUREMENT: Schema = shape!(
    "Measurement",
    "What was measured, as the device sent it.",
    [
        req("msg_id", Text, "Unique per device."),
        opt("record_no", Integer, "Record number on the device."),
        opt("channel", Integer, "Channel."),
        opt("kind", Choice(&["initial", "retest"]), "First measurement or a repeat."),
        opt("retest_of", Text, "`msg_id` of the first measurement."),
        opt("sample", Object(&SAMPLE), "Sample."),
        req("method", METHOD, "Method."),
        opt("item", Object(&ITEM), "Item."),
        req("value", Object(&VALUE), "Value."),
        opt("lod", line(32), "Limit of detection of the run, in the value's unit."),
        opt("loq", line(32), "Limit of quantification of the run."),
        opt("limit", Any, "Limit the device used."),
        opt(
            "device_verdict",
            Choice(&["pass", "fail", "suspect", "invalid"]),
            "The device's verdict."
        ),
        opt("tested_at", Time, "Device time."),
        opt("blank", Boolean, "A control run."),
    ]
);

pub const TEST: Schema = shape!(
    "Test",
    "A test (检测) with our verdict.",
    [
        req("id", Text, "Id, `tst_…`."),
        opt("device", Text, "Device; empty when typed."),
        opt("device_name", Text, "Place and model of the device."),
        opt("message", Text, "Message it came from."),
        req("origin", Choice(&["device", "typed"]), "Where the numbers come from."),
        req("measurement", Object(&MEASUREMENT), "What was measured."),
        opt("lot", Text, "Lot."),
        opt("lot_no", Text, "Lot number."),
        opt("product_name", Text, "Product name."),
        opt("operator", Text, "Operator."),
        opt(
            "matched_by",
            Choice(&["number", "bench", "person", "sample"]),
            "How the lot was found."
        ),
        opt("conducted_by", Choice(&["own", "commissioned"]), "Who tested for whom."),
        req("verdict", TEST_VERDICT, "Our verdict."),
        req("judgement", Object(&JUDGEMENT), "Why."),
        req("flags", List(&Text), "`clock_none`, `clock_off`, `sample_cancelled`, `retest_first`."),
        req("received_at", Time, "Server's time of receipt."),
        opt("area", Text, "Region code."),
        opt("sampling", Text, "Sample."),
        opt("sample_no", Text, "Number of the sample."),
        opt("laboratory", Text, "Testing party."),
        opt("entered_by", Text, "Who typed it."),
        opt("needs_verification", Boolean, "A second person has to look at it before it proves."),
        opt("verified", Object(&VERIFIED), "The second person's word."),
        opt("struck", Text, "Why it was struck out."),
        opt("delivered", Object(&DELIVERED), "When the tested party was told."),
        opt("objection", Text, "Objection that it decides."),
        opt("settled", Object(&SETTLED), "What became of what was positive."),
    ]
);

const VERIFIED: Schema = shape!(
    "Verified",
    "A second person's word.",
    [req("by", Text, "Who."), req("at", Time, "When.")]
);

const DELIVERED: Schema = shape!(
    "Delivered",
    "That the tested party was told.",
    [
        req("at", Time, "When."),
        req("to", Text, "Who took the notice."),
        req("until", Time, "Last moment of an objection."),
        opt("guessed", Boolean, "The last day was reckoned without the year's holidays."),
    ]
);

pub const OUTCOME: Kind = Choice(&["released", "destroyed", "treated", "delayed", "recalled"]);

const SETTLED: Schema = shape!(
    "Settled",
    "What became of what was positive.",
    [
        req("outcome", OUTCOME, "What became of the goods."),
        req("note", Text, "In words."),
        opt("attachments", List(&Object(&ATTACHMENT)), "Photos and papers."),
        req("by", Text, "Who."),
        req("at", Time, "When."),
    ]
);
