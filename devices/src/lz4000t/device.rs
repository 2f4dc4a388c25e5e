//! The device as its host sees it: requests in, answers out.

use std::collections::VecDeque;

use jiff::civil::Date;

use super::{
    END, Fault, Lz4000tError, MAX_RECORDS, Record, START, command, crc8, device_date, frame,
    record_frame,
};

/// Longest request data read; known requests carry three bytes.
const MAX_REQUEST_DATA: usize = 64;
/// Start, command, two length bytes.
const HEADER_BYTES: usize = 4;

/// A device with its stored records. Bytes of a host go in at [`Device::on_bytes`], in pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct Device {
    records: Vec<Record>,
    faults: VecDeque<Fault>,
    received: Vec<u8>,
    bad_requests: u64,
}

impl Device {
    /// A device without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a measurement. Fails when its day is full or its year is outside what the device can hold.
    pub fn store(&mut self, record: Record) -> Result<(), Lz4000tError> {
        device_date(record.time.date(), record.record_no)?;
        let count = self.of_day(record.time.date()).count() + 1;
        if count > MAX_RECORDS {
            return Err(Lz4000tError::TooManyRecords { count });
        }
        self.records.push(record);
        Ok(())
    }

    /// Damages the next record frame that is sent; several calls damage as many in turn.
    pub fn spoil_next(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    /// Requests that were not understood so far: bad check byte, length or command.
    pub fn bad_requests(&self) -> u64 {
        self.bad_requests
    }

    /// Bytes of an unfinished request; at most one request's.
    pub fn waiting(&self) -> usize {
        self.received.len()
    }

    /// Takes what the host sent and returns what to send back. Like the real device it is silent when a
    /// request is damaged or unknown.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for byte in bytes {
            self.received.push(*byte);
            while self.take_request(&mut answers) {}
        }
        answers
    }

    /// Handles the front of what was received; true when something was consumed.
    fn take_request(&mut self, answers: &mut Vec<u8>) -> bool {
        if self.received.first().is_some_and(|first| *first != START) {
            let garbage =
                self.received.iter().position(|byte| *byte == START).unwrap_or(self.received.len());
            self.received.drain(..garbage);
            return true;
        }
        let Some(header) = self.received.get(..HEADER_BYTES) else {
            return false;
        };
        let (code, data_bytes) =
            (header[1], usize::from(u16::from_le_bytes([header[2], header[3]])));
        if data_bytes > MAX_REQUEST_DATA {
            return self.skip_start();
        }
        let Some(whole) = self.received.get(..HEADER_BYTES + data_bytes + 2) else {
            return false;
        };
        let (body, tail) = whole[1..].split_at(HEADER_BYTES - 1 + data_bytes);
        if tail != [crc8(body), END] {
            return self.skip_start();
        }
        let data = body[HEADER_BYTES - 1..].to_vec();
        self.received.drain(..HEADER_BYTES + data_bytes + 2);
        match self.answer(code, &data) {
            Some(answer) => answers.extend(answer),
            None => self.bad_requests += 1,
        }
        true
    }

    /// This start byte began no request: goes on behind it.
    fn skip_start(&mut self) -> bool {
        self.bad_requests += 1;
        self.received.remove(0);
        true
    }

    fn answer(&mut self, code: u8, data: &[u8]) -> Option<Vec<u8>> {
        match code {
            // Contents of the answers to ping and count are not documented: the ping is echoed, and the count
            // has the form it has in a record frame.
            command::PING => Some(frame(command::PING + 1, data)),
            command::COUNT_DAY => {
                let count = self.of_day(day(data)?).count();
                Some(frame(command::COUNT_DAY + 1, &[u8::try_from(count).ok()?, 0, 0, 0]))
            }
            command::READ_DAY => self.read_day(day(data)?),
            _ => None,
        }
    }

    fn read_day(&mut self, date: Date) -> Option<Vec<u8>> {
        let total = u8::try_from(self.of_day(date).count()).ok()?;
        let frames: Vec<Vec<u8>> =
            self.of_day(date).filter_map(|record| record_frame(record, total).ok()).collect();
        let mut out = Vec::new();
        for frame in frames {
            match self.faults.pop_front() {
                Some(fault) => out.extend(fault.apply(&frame)),
                None => out.extend(frame),
            }
        }
        Some(out)
    }

    fn of_day(&self, date: Date) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.time.date() == date)
    }
}

/// The day named by yy mm dd.
fn day(data: &[u8]) -> Option<Date> {
    let [yy @ 0..=99, mm @ 1..=12, dd @ 1..=31] = *data else {
        return None;
    };
    Date::new(2000 + i16::from(yy), mm.cast_signed(), dd.cast_signed()).ok()
}
