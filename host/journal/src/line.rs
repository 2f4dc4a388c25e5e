use serde::Deserialize;
use serde_json::value::RawValue;

use crate::hash::Hash;

/// No line is ever longer, whatever the options say: a reader's memory is bounded by it.
pub const LINE_BYTES_CEILING: usize = 16 << 20;

const VERSION: u64 = 1;
/// `,"prev":"` 64 digits `","hash":"` 64 digits `"}`
const TAIL_BYTES: usize = 9 + 64 + 10 + 64 + 2;
/// `,"hash":"` 64 digits `"}`
const HASH_MEMBER_BYTES: usize = 9 + 64 + 2;

/// One command's events, to be appended.
#[derive(Debug, Clone, Copy)]
pub struct NewLine<'a> {
    /// UTC with milliseconds: `2026-03-01T08:00:00.000Z`.
    pub time: &'a str,
    /// Who gave the command, any JSON value.
    pub actor: &'a RawValue,
    /// The events, a JSON array.
    pub events: &'a RawValue,
}

/// A line as read.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, from 1.
    pub seq: u64,
    /// Number of the first line of its group.
    pub group: u64,
    /// Lines in its group.
    pub size: u64,
    /// UTC with milliseconds.
    pub time: String,
    /// Who gave the command.
    pub actor: Box<RawValue>,
    /// The events, a JSON array.
    pub events: Box<RawValue>,
    /// Hash of the line before.
    pub prev: Hash,
    /// Hash of this line.
    pub hash: Hash,
}

/// A line in the reader's buffer, its form checked, its hash not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineRef<'a> {
    pub seq: u64,
    pub group: u64,
    pub size: u64,
    pub time: &'a str,
    pub actor: &'a RawValue,
    pub events: &'a RawValue,
    pub prev: Hash,
    pub hash: Hash,
}

impl LineRef<'_> {
    pub(crate) fn to_line(self) -> Line {
        Line {
            seq: self.seq,
            group: self.group,
            size: self.size,
            time: self.time.to_owned(),
            actor: self.actor.to_owned(),
            events: self.events.to_owned(),
            prev: self.prev,
            hash: self.hash,
        }
    }
}

/// Where a line stands: what the journal adds to a [`NewLine`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub seq: u64,
    pub group: u64,
    pub size: u64,
    pub prev: Hash,
}

/// Appends the line and its `\n` to `out`; gives its hash.
pub(crate) fn encode(out: &mut Vec<u8>, place: &Place, new: &NewLine<'_>) -> Result<Hash, String> {
    check(new)?;
    let start = out.len();
    let Place { seq, group, size, prev } = place;
    out.extend_from_slice(
        format!(r#"{{"v":{VERSION},"seq":{seq},"group":{group},"size":{size},"time":""#).as_bytes(),
    );
    for piece in [new.time, r#"","actor":"#, new.actor.get(), r#","events":"#, new.events.get()] {
        out.extend_from_slice(piece.as_bytes());
    }
    out.extend_from_slice(format!(r#","prev":"{prev}""#).as_bytes());
    let hash = Hash::of(&[&out[start..], b"}"]);
    out.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
    Ok(hash)
}

fn check(new: &NewLine<'_>) -> Result<(), String> {
    if !is_time(new.time.as_bytes()) {
        return Err(format!("time {:?} is not like 2026-03-01T08:00:00.000Z", new.time));
    }
    if !new.events.get().starts_with('[') {
        return Err("events are not a JSON array".into());
    }
    // Between values JSON allows line breaks; here a line is a line.
    if [new.actor, new.events].iter().any(|json| json.get().contains(['\n', '\r'])) {
        return Err("actor or events hold a line break between JSON values".into());
    }
    Ok(())
}

fn is_time(text: &[u8]) -> bool {
    const SHAPE: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    text.len() == SHAPE.len()
        && text.iter().zip(SHAPE).all(|(c, shape)| match shape {
            b'0' => c.is_ascii_digit(),
            other => c == other,
        })
}

/// Whether the line, without its `\n`, carries its own right hash, in whatever format version. Such a
/// line was written whole: it is never the remains of a torn write.
pub(crate) fn is_self_consistent(line: &[u8]) -> bool {
    stated_hash(line).is_some_and(|stated| hash_of(line) == Some(stated))
}

/// The hash the line should have; `None` when it is too short to hold one.
pub(crate) fn hash_of(line: &[u8]) -> Option<Hash> {
    let body = line.get(..line.len().checked_sub(HASH_MEMBER_BYTES)?)?;
    Some(Hash::of(&[body, b"}"]))
}

fn stated_hash(line: &[u8]) -> Option<Hash> {
    let member = line.get(line.len().checked_sub(HASH_MEMBER_BYTES)?..)?;
    Hash::from_hex(member.strip_prefix(br#","hash":""#)?.strip_suffix(br#""}"#)?)
}

/// Sequence number of a line, from its first bytes alone.
pub(crate) fn seq_of(line: &[u8]) -> Option<u64> {
    let mut cursor = Cursor(line.strip_prefix(br#"{"v":"#)?);
    cursor.number().ok()?;
    cursor.skip(r#","seq":"#).ok()?;
    cursor.number().ok()
}

/// Reads a line, without its `\n`; there is exactly one spelling. Does not check the hash.
pub(crate) fn parse(line: &[u8]) -> Result<LineRef<'_>, String> {
    let mut head = Cursor(line);
    head.skip(r#"{"v":"#)?;
    let version = head.number()?;
    if version != VERSION {
        return Err(format!("format version {version} is not known to this program"));
    }
    let Some(cut) = head.0.len().checked_sub(TAIL_BYTES) else {
        return Err("line is too short".into());
    };
    let (rest, tail) = head.0.split_at(cut);
    let (prev, hash) = parse_tail(tail).ok_or("line does not end with prev and hash")?;
    head.0 = rest;
    head.skip(r#","seq":"#)?;
    let seq = head.number()?;
    head.skip(r#","group":"#)?;
    let group = head.number()?;
    head.skip(r#","size":"#)?;
    let size = head.number()?;
    head.skip(r#","time":""#)?;
    let time = head.time()?;
    head.skip(r#"","actor":"#)?;
    let actor = head.json("actor")?;
    head.skip(r#","events":"#)?;
    let events = head.json("events")?;
    if !events.get().starts_with('[') {
        return Err("events are not a JSON array".into());
    }
    if !head.0.is_empty() {
        return Err("unexpected text after the events".into());
    }
    Ok(LineRef { seq, group, size, time, actor, events, prev, hash })
}

fn parse_tail(tail: &[u8]) -> Option<(Hash, Hash)> {
    let (prev, hash) = tail.strip_prefix(br#","prev":""#)?.split_at_checked(64)?;
    let hash = hash.strip_prefix(br#"","hash":""#)?.strip_suffix(br#""}"#)?;
    Some((Hash::from_hex(prev)?, Hash::from_hex(hash)?))
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip(&mut self, text: &str) -> Result<(), String> {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or_else(|| format!("{text} expected"))?;
        Ok(())
    }

    fn number(&mut self) -> Result<u64, String> {
        let digits = self.0.iter().take_while(|c| c.is_ascii_digit()).count();
        let (text, rest) = self.0.split_at(digits);
        let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
        let number = number.filter(|_| text == b"0" || !text.starts_with(b"0"));
        self.0 = rest;
        number.ok_or_else(|| "a whole number expected".into())
    }

    fn time(&mut self) -> Result<&'a str, String> {
        let (time, rest) = self.0.split_at_checked(24).ok_or("time expected")?;
        if !is_time(time) {
            return Err("time is not like 2026-03-01T08:00:00.000Z".into());
        }
        self.0 = rest;
        std::str::from_utf8(time).map_err(|e| e.to_string())
    }

    fn json(&mut self, name: &str) -> Result<&'a RawValue, String> {
        let mut parser = serde_json::Deserializer::from_slice(self.0);
        let value = <&RawValue>::deserialize(&mut parser).map_err(|e| format!("{name}: {e}"))?;
        // White space before the value is not part of the raw text, so this also refuses it.
        self.skip(value.get())?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    fn sample() -> Vec<u8> {
        let (actor, events) =
            (raw(r#"{"kind":"system"}"#), raw(r#"[{"type":"lot_opened","名":"湘莲"}]"#));
        let new = NewLine { time: "2026-03-01T08:00:00.000Z", actor: &actor, events: &events };
        let mut out = Vec::new();
        encode(&mut out, &Place { seq: 1, group: 1, size: 1, prev: Hash::ZERO }, &new).unwrap();
        out
    }

    /// The digest was computed with Python's hashlib over the text written by hand.
    #[test]
    fn golden_line() {
        let golden = concat!(
            r#"{"v":1,"seq":1,"group":1,"size":1,"time":"2026-03-01T08:00:00.000Z","#,
            r#""actor":{"kind":"system"},"events":[{"type":"lot_opened","名":"湘莲"}],"#,
            r#""prev":"0000000000000000000000000000000000000000000000000000000000000000","#,
            r#""hash":"c15f9616b09b105cb265d6c3c267853d489ee2b249e1b39218f4c08aff13c9f4"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(sample()).unwrap(), golden);
    }

    #[test]
    fn one_spelling_only() {
        let line = String::from_utf8(sample()).unwrap();
        let line = line.trim_end();
        assert!(parse(line.as_bytes()).is_ok());
        assert!(is_self_consistent(line.as_bytes()));
        for (from, to) in [
            ("{\"v\":1", "{ \"v\":1"),
            ("\"v\":1", "\"v\":2"),
            ("\"seq\":1", "\"seq\":01"),
            ("\"seq\":1", "\"seq\":-1"),
            ("\"seq\":1", "\"seq\":99999999999999999999"),
            ("08:00:00.000Z", "08:00:00.000+"),
            (":{\"kind\"", ": {\"kind\""),
            (",\"events\":[", ",\"events\": ["),
            ("}],\"prev\"", "}] ,\"prev\""),
            ("[{\"type\"", "{\"type\""),
            ("\"}],\"prev\"", "\"},\"prev\""),
            ("0\",\"hash\"", "A\",\"hash\""),
            ("\"prev\"", "\"prew\""),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line, "{from}");
            assert!(parse(changed.as_bytes()).is_err(), "{to}");
            assert!(!is_self_consistent(changed.as_bytes()), "{to}");
        }
        assert!(parse(b"").is_err());
        assert!(parse(&line.as_bytes()[..40]).is_err());
    }

    #[test]
    fn scalars_are_actors_too() {
        for actor in ["null", "7", "\"x\"", "true"] {
            let (actor, events) = (raw(actor), raw("[]"));
            let new = NewLine { time: "2026-03-01T08:00:00.000Z", actor: &actor, events: &events };
            let mut out = Vec::new();
            let place = Place { seq: 7, group: 6, size: 2, prev: Hash::of(&[b"x"]) };
            encode(&mut out, &place, &new).unwrap();
            out.pop();
            let read = parse(&out).unwrap();
            assert_eq!((read.seq, read.group, read.size), (7, 6, 2));
            assert_eq!((read.actor.get(), read.events.get()), (actor.get(), "[]"));
            assert_eq!(Some(read.hash), hash_of(&out));
            assert_eq!(seq_of(&out), Some(7));
        }
    }
}
