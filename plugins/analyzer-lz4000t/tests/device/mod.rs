//! Builds frames as the device does, apart from the decoder.
#![allow(dead_code)]

/// A record about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rec {
    pub announced: u8,
    pub number: u16,
    pub name: [u8; 6],
    pub stamp: [u8; 6],
    pub inhibition: u16,
}

impl Default for Rec {
    fn default() -> Self {
        Self {
            announced: 1,
            number: 7,
            name: *b"\xB2\xA4\xB2\xCB\0\0",
            stamp: [26, 11, 21, 9, 0, 7],
            inhibition: 1654,
        }
    }
}

impl Rec {
    pub fn bytes(&self) -> Vec<u8> {
        let mut data = vec![self.announced, 0, 0, 0];
        data.extend(self.number.to_le_bytes());
        data.extend(self.name);
        data.extend(self.stamp);
        data.extend(self.inhibition.to_le_bytes());
        frame(0x11, &data)
    }
}

pub fn frame(command: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x7E, command];
    bytes.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    bytes.extend(data);
    bytes.push(checksum(&bytes[1..]));
    bytes.push(0xAA);
    bytes
}

/// CRC-8/0x31 by long division over the bits.
fn checksum(bytes: &[u8]) -> u8 {
    let mut remainder: u16 = 0;
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |i| u16::from(byte >> i & 1)))
        .chain([0; 8])
    {
        remainder = remainder << 1 | bit;
        if remainder & 0x100 != 0 {
            remainder ^= 0x131;
        }
    }
    u8::try_from(remainder).unwrap()
}
