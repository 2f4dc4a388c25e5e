//! What the public says of a code: what is taken in, who deals with it, what everybody may read (R-030, R-100).

use tianyin_domain::code::{self, Code};
use tianyin_domain::feedback::{
    BY_CODE, BY_KIND, BY_OPERATOR, BY_REFERENCE, BY_STATUS, CloseFeedback, Feedback, FeedbackKind,
    FeedbackQueue, FeedbackStatus, FeedbackTally, LeaveFeedback, ModerateFeedback, SHOWN,
    TEXT_CHARS_MAX, WAITING, WAITING_MAX, WAITING_OF_CODE_MAX, reference_of, subject,
};
use tianyin_domain::id::SeededRandom;
use tianyin_domain::id_card::{IdCard, IdCardStatus};
use tianyin_domain::{Actor, Command, Event, Overlay};

use crate::farm::{Farm, OTHER_TOWNSHIP, TOWNSHIP, clerk, clerk_of, producer};
use crate::objections::ids;
use crate::register::{card, decide, publish, submit};

fn public() -> Actor {
    Actor::system("public")
}

fn said(code: &str, kind: FeedbackKind, text: &str) -> LeaveFeedback {
    let (code, text, place) = (code.into(), text.into(), "易俗河市场".into());
    LeaveFeedback { code, kind, stars: None, text, place }
}

fn fake(code: &str, text: &str) -> Command {
    Command::LeaveFeedback(said(code, FeedbackKind::Fake, text))
}

fn rate(code: &str, stars: u8, text: &str) -> Command {
    let rating = said(code, FeedbackKind::Rating, text);
    Command::LeaveFeedback(LeaveFeedback { stars: Some(stars), ..rating })
}

fn moderate(feedback: &str, status: FeedbackStatus, reason: &str, reply: &str) -> Command {
    let (feedback, reason, reply) = (feedback.into(), reason.into(), reply.into());
    Command::ModerateFeedback(ModerateFeedback { feedback, status, reason, reply })
}

fn show(feedback: &str) -> Command {
    moderate(feedback, FeedbackStatus::Shown, "", "谢谢")
}

fn hide(feedback: &str) -> Command {
    moderate(feedback, FeedbackStatus::Hidden, "有辱骂", "")
}

fn close(feedback: &str) -> Command {
    let (feedback, outcome) = (feedback.into(), "已核实,标签是仿冒的".into());
    Command::CloseFeedback(CloseFeedback { feedback, outcome })
}

/// One of every command.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let code = farm.world.state.all::<Code>().remove(0).code;
    let rating = farm.world.ok(&public(), rate(&code, 5, "很甜"));
    vec![rate(&code, 4, "还行"), show(&rating), close(&rating)]
}

fn tally(farm: &Farm) -> (u64, u64) {
    let tally: Option<FeedbackTally> = farm.world.state().get(&farm.product).unwrap();
    tally.map_or((0, 0), |tally| (tally.shown, tally.stars_sum))
}

fn waiting(farm: &Farm, id: &str) -> u32 {
    farm.world.get::<FeedbackQueue>(id).waiting
}

#[test]
fn what_is_said_belongs_to_what_the_code_stands_for() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let id = farm.world.ok(&public(), fake(&code, " 印刷模糊\r\n没有二维码 "));
    let one: Feedback = farm.world.get(&id);
    assert_eq!(one.text, "印刷模糊\n没有二维码");
    assert_eq!((one.lot.as_ref(), &one.product), (Some(&farm.lot), &farm.product));
    assert_eq!((&one.operator, one.area.as_str()), (&farm.operator, TOWNSHIP));
    assert_eq!((one.status, one.stars, one.at), (FeedbackStatus::Waiting, None, farm.world.time));
    for (index, part) in [
        (BY_STATUS, ""),
        (BY_STATUS, "waiting"),
        (BY_KIND, "fake"),
        (WAITING, "fake"),
        (BY_OPERATOR, farm.operator.as_str()),
        (BY_CODE, code.as_str()),
        (BY_REFERENCE, one.reference()),
    ] {
        assert_eq!(ids(&farm, index, part), [id.as_str()], "{index:?} {part}");
    }
    assert_eq!(one.reference().len(), 8);
    assert_eq!(
        (reference_of(&id), reference_of("€"), reference_of("")),
        (one.reference(), "€", "")
    );

    // The code of an ID card is that of a product, without a lot.
    let save = Command::SaveIdCard(card(&farm.product));
    let id_card = farm.world.ok(&clerk(), save);
    let steps =
        [submit(&id_card, &[]), decide(&id_card, IdCardStatus::Approved, ""), publish(&id_card)];
    for step in steps {
        farm.world.ok(&clerk(), step);
    }
    let code = farm.world.get::<IdCard>(&id_card).code;
    let id = farm.world.ok(&public(), rate(&code, 5, ""));
    let one: Feedback = farm.world.get(&id);
    assert_eq!((one.lot, &one.product, &one.operator), (None, &farm.product, &farm.operator));

    // A code that was never given out is nobody's.
    let unknown = code::draw(&mut SeededRandom(99));
    assert_eq!(subject(farm.world.state(), &unknown).unwrap(), None);
    assert_eq!(farm.world.no(&public(), fake(&unknown, "假的")), "no code");
    assert_eq!(farm.world.replayed(2), farm.world.state);
}

#[test]
fn what_is_missing_or_too_long_is_told() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let of = |kind, stars, text: &str, place: &str| {
        let place = place.to_owned();
        Command::LeaveFeedback(LeaveFeedback { stars, place, ..said(&code, kind, text) })
    };
    let long = "长".repeat(TEXT_CHARS_MAX + 1);
    for (command, told) in [
        (of(FeedbackKind::Rating, None, "好", ""), "stars:required"),
        (of(FeedbackKind::Rating, Some(0), "好", ""), "stars:bad_stars"),
        (of(FeedbackKind::Rating, Some(6), "好", ""), "stars:bad_stars"),
        (of(FeedbackKind::Complaint, Some(1), " \r\n ", ""), "text:required"),
        (of(FeedbackKind::Fake, None, "", &"远".repeat(65)), "text:required place:too_long"),
        (of(FeedbackKind::Fake, None, &long, ""), "text:too_long"),
        (of(FeedbackKind::Rating, Some(5), "\u{7}", ""), "text:control_characters"),
    ] {
        assert_eq!(farm.world.no(&public(), command), told);
    }
    // Stars belong to ratings only; as many characters as are allowed are taken in.
    let just = "长".repeat(TEXT_CHARS_MAX);
    let id = farm.world.ok(&public(), of(FeedbackKind::Complaint, Some(9), &just, ""));
    assert_eq!(farm.world.get::<Feedback>(&id).stars, None);
}

#[test]
fn the_same_words_count_once() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let first = farm.world.ok(&public(), fake(&code, "印刷模糊"));
    let lines = farm.world.lines.len();
    let again = farm.world.give(&public(), fake(&code, "印刷模糊 ")).unwrap();
    assert_eq!((again.id, again.written, again.note), (first.clone(), false, "known"));
    // Stars without a word: a second press of the button, and another person later.
    let rating = farm.world.ok(&public(), rate(&code, 5, ""));
    assert_eq!(farm.world.ok(&public(), rate(&code, 5, "")), rating);
    assert_ne!(farm.world.ok(&public(), rate(&code, 4, "")), rating);
    farm.world.time += jiff::SignedDuration::from_secs(60);
    assert_ne!(farm.world.ok(&public(), rate(&code, 5, "")), rating);
    assert_eq!(farm.world.lines.len(), lines + 3);
    // Another kind with the same words is another matter.
    let complaint = said(&code, FeedbackKind::Complaint, "印刷模糊");
    assert_ne!(farm.world.ok(&public(), Command::LeaveFeedback(complaint)), first);
    // After twenty others it is said anew.
    for n in 0..20 {
        farm.world.ok(&public(), fake(&code, &format!("第 {n} 次")));
    }
    assert_ne!(farm.world.ok(&public(), fake(&code, "印刷模糊")), first);
}

#[test]
fn what_waits_has_an_end() {
    let mut farm = Farm::new();
    let (code, other) = (farm.issued("10"), farm.issued("10"));
    let first = farm.world.ok(&public(), fake(&code, "第一件"));
    for n in 1..WAITING_OF_CODE_MAX {
        farm.world.ok(&public(), fake(&code, &format!("第 {n} 件")));
    }
    assert_eq!(farm.world.no(&public(), fake(&code, "再一件")), "feedback_full");
    farm.world.ok(&public(), fake(&other, "另一个码"));
    farm.world.ok(&clerk(), close(&first));
    farm.world.ok(&public(), fake(&code, "再一件"));
    let in_all = waiting(&farm, "all");
    assert_eq!(in_all, WAITING_OF_CODE_MAX + 1);
    assert_eq!((waiting(&farm, &code), waiting(&farm, &other)), (WAITING_OF_CODE_MAX, 1));

    let mut overlay = Overlay::new(&farm.world.state);
    let full = FeedbackQueue { id: "all".into(), waiting: WAITING_MAX, recent: vec![] };
    overlay.put(&full).unwrap();
    let puts = overlay.into_puts();
    farm.world.state.commit(puts);
    assert_eq!(farm.world.no(&public(), fake(&other, "又一件")), "feedback_full");
}

#[test]
fn only_ratings_are_shown_and_they_are_counted() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let good = farm.world.ok(&public(), rate(&code, 5, "很甜"));
    let bad = farm.world.ok(&public(), rate(&code, 1, "骂人的话"));
    let root = format!("product/{}", farm.product);
    let before = farm.world.version(&root);
    farm.world.ok(&clerk(), hide(&bad));
    assert_eq!((tally(&farm), farm.world.version(&root)), ((0, 0), before), "no page shows it");
    farm.world.ok(&clerk(), show(&good));
    let one: Feedback = farm.world.get(&good);
    assert_eq!((one.status, one.reply.as_str()), (FeedbackStatus::Shown, "谢谢"));
    assert_eq!(
        (one.handled_by.as_str(), one.handled_at),
        ("user/usr_clerk", Some(farm.world.time))
    );
    assert_eq!(tally(&farm), (1, 5));
    assert!(farm.world.version(&root) > before, "pages are made anew");
    assert_eq!(ids(&farm, SHOWN, &farm.product), [good.as_str()]);

    // Another reply counts no further rating; the other one comes to light, the first goes.
    farm.world.ok(&clerk(), moderate(&good, FeedbackStatus::Shown, "", "欢迎再来"));
    assert_eq!(farm.world.get::<Feedback>(&good).reply, "欢迎再来");
    farm.world.ok(&clerk(), show(&bad));
    assert_eq!(tally(&farm), (2, 6));
    farm.world.ok(&clerk(), hide(&good));
    assert_eq!(tally(&farm), (1, 1));
    assert_eq!(ids(&farm, SHOWN, &farm.product), [bad.as_str()]);
    assert_eq!(waiting(&farm, &code), 0, "each left the queue once");
    assert_eq!(farm.world.replayed(3), farm.world.state);

    let long = "长".repeat(201);
    for (command, told) in [
        (moderate(&good, FeedbackStatus::Hidden, " ", ""), "reason:required"),
        (moderate(&good, FeedbackStatus::Closed, "", ""), "status:bad_choice"),
        (moderate(&good, FeedbackStatus::Waiting, "", ""), "status:bad_choice"),
        (moderate(&good, FeedbackStatus::Shown, "", &long), "reply:too_long"),
        (close(&good), "feedback_is_rating"),
        (show("fbk_no"), "no feedback"),
    ] {
        assert_eq!(farm.world.no(&clerk(), command), told);
    }
}

#[test]
fn complaints_and_reports_are_closed_and_never_shown() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let id = farm.world.ok(&public(), fake(&code, "印刷模糊"));
    for command in [show(&id), hide(&id)] {
        assert_eq!(farm.world.no(&clerk(), command), "feedback_is_no_rating");
    }
    let blank = CloseFeedback { feedback: id.clone(), outcome: " ".into() };
    assert_eq!(farm.world.no(&clerk(), Command::CloseFeedback(blank)), "outcome:required");
    farm.world.ok(&clerk(), close(&id));
    let one: Feedback = farm.world.get(&id);
    assert_eq!(one.status, FeedbackStatus::Closed);
    assert_eq!(one.outcome, "已核实,标签是仿冒的");
    assert_eq!(farm.world.no(&clerk(), close(&id)), "feedback_closed");
    assert_eq!((ids(&farm, WAITING, "fake").len(), waiting(&farm, "all")), (0, 0));
    assert_eq!((tally(&farm), ids(&farm, SHOWN, &farm.product).len()), ((0, 0), 0));
}

#[test]
fn the_county_weighs_it_and_the_producer_does_not() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let id = farm.world.ok(&public(), rate(&code, 5, "很甜"));
    let own = farm.producer();
    assert_eq!(farm.world.no(&own, rate(&code, 5, "自夸")), "forbidden");
    assert_eq!(farm.world.no(&own, show(&id)), "forbidden");
    assert_eq!(farm.world.no(&producer("opr_other"), show(&id)), "forbidden");
    assert_eq!(farm.world.no(&clerk_of(OTHER_TOWNSHIP), show(&id)), "no feedback");
    farm.world.ok(&clerk_of(TOWNSHIP), show(&id));
}

/// Lines as they are written in 2026; never to be changed.
const WRITTEN: [&str; 4] = [
    r#"{"feedback.left":{"id":"fbk_1","code":"C","kind":"rating","stars":5,"text":"甜","place":"市场","lot":"lot_1","product":"prd_1","operator":"opr_1","area":"430321106","at":"2026-11-20T08:00:00Z","status":"waiting"}}"#,
    r#"{"feedback.left":{"id":"fbk_2","code":"C","kind":"fake","text":"假","product":"prd_1","operator":"opr_1","area":"430321106","at":"2026-11-20T08:00:00Z","status":"waiting"}}"#,
    r#"{"feedback.moderated":{"feedback":"fbk_1","status":"shown","reply":"谢谢","by":"user/usr_1"}}"#,
    r#"{"feedback.closed":{"feedback":"fbk_2","outcome":"已核实","by":"user/usr_1"}}"#,
];

#[test]
fn events_of_feedback_are_read_and_written_so() {
    for line in WRITTEN {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}
