//! LZ-4000T residue analyzer (enzyme inhibition), the device's side: builds its frames and answers its
//! host. Written from the protocol description and on purpose without the decoder plugin, so that each
//! checks the other. Source: a secondary one; to be confirmed on a real device.
//!
//! Frame: `7E | CMD | LEN (u16 LE) | DATA … | CRC8 | AA`; LEN counts DATA, the CRC covers CMD to DATA.

mod device;
mod fault;

pub use device::Device;
pub use fault::Fault;

use encoding_rs::GBK;
use jiff::civil::{Date, DateTime};
use thiserror::Error;

/// First byte of a frame. It may also occur inside.
pub const START: u8 = 0x7E;
/// Last byte of a frame.
pub const END: u8 = 0xAA;
/// Bytes of one record frame.
pub const RECORD_FRAME_BYTES: usize = 26;
/// Bytes of a sample name on the device: three Chinese characters.
pub const NAME_BYTES: usize = 6;
/// Records of one day: their count is one byte.
pub const MAX_RECORDS: usize = 255;

/// Commands; an answer is its request plus one.
pub mod command {
    /// Host: are you there?
    pub const PING: u8 = 0x00;
    /// Host: send the records of a day (yy mm dd).
    pub const READ_DAY: u8 = 0x10;
    /// Device: one record.
    pub const RECORD: u8 = 0x11;
    /// Host: how many records has a day (yy mm dd)?
    pub const COUNT_DAY: u8 = 0x12;
}

/// One stored measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number on the device.
    pub record_no: u16,
    /// Sample name; the device keeps [`NAME_BYTES`] bytes of it.
    pub name: String,
    /// The device's own clock: local time without zone, year 2000 to 2099, whole seconds.
    pub time: DateTime,
    /// Inhibition in hundredths of a percent, so 1654 is 16.54 %.
    pub inhibition_hundredths: i16,
}

/// What the device cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Lz4000tError {
    /// The count of a day is one byte.
    #[error("{count} records in one day, the device counts to {MAX_RECORDS}")]
    TooManyRecords {
        /// Records given.
        count: usize,
    },
    /// The device keeps two digits of the year.
    #[error("record {record_no}: year {year} is not 2000 to 2099")]
    Year {
        /// The record.
        record_no: u16,
        /// Its year.
        year: i16,
    },
}

/// The answer to "read a day": one frame of 26 bytes for each record, in order.
pub fn frames(records: &[Record]) -> Result<Vec<u8>, Lz4000tError> {
    let total = u8::try_from(records.len())
        .map_err(|_| Lz4000tError::TooManyRecords { count: records.len() })?;
    let mut out = Vec::with_capacity(records.len() * RECORD_FRAME_BYTES);
    for record in records {
        out.extend(record_frame(record, total)?);
    }
    Ok(out)
}

/// One record frame; `total` is the number of records the device announces for that day.
pub fn record_frame(record: &Record, total: u8) -> Result<Vec<u8>, Lz4000tError> {
    let mut data = vec![total, 0, 0, 0]; // three bytes whose meaning is not documented
    data.extend(record.record_no.to_le_bytes());
    data.extend(device_name(&record.name));
    data.extend(device_date(record.time.date(), record.record_no)?);
    data.extend(
        [record.time.hour(), record.time.minute(), record.time.second()].map(|n| n.unsigned_abs()),
    );
    data.extend(record.inhibition_hundredths.to_le_bytes());
    Ok(frame(command::RECORD, &data))
}

/// Wraps data into a frame. `data` is at most 65535 bytes; more is cut, as LEN cannot say it.
pub fn frame(command: u8, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut out = vec![START, command];
    out.extend(len.to_le_bytes());
    out.extend(&data[..usize::from(len)]);
    out.push(crc8(&out[1..]));
    out.push(END);
    out
}

/// CRC-8, polynomial 0x31, initial value 0, most significant bit first.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8)
            .fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x31 })
    })
}

/// The name as the device stores it: GBK, cut after six bytes even inside a character, filled with
/// zeros; `?` for what GBK lacks.
pub fn device_name(name: &str) -> [u8; NAME_BYTES] {
    let mut out = [0; NAME_BYTES];
    let mut utf8 = [0; 4];
    let encoded = name.chars().flat_map(|c| {
        let (bytes, _, unmappable) = GBK.encode(c.encode_utf8(&mut utf8));
        if unmappable { vec![b'?'] } else { bytes.into_owned() }
    });
    for (slot, byte) in out.iter_mut().zip(encoded) {
        *slot = byte;
    }
    out
}

fn device_date(date: Date, record_no: u16) -> Result<[u8; 3], Lz4000tError> {
    let year = date.year();
    let bad = Lz4000tError::Year { record_no, year };
    if !(2000..2100).contains(&year) {
        return Err(bad);
    }
    let yy = u8::try_from(year - 2000).map_err(|_| bad)?;
    Ok([yy, date.month().unsigned_abs(), date.day().unsigned_abs()])
}

#[cfg(test)]
mod tests;
