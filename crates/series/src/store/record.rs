//! The log's records: one appended round each, with the definitions of series that its segment has not seen.
//!
//! Must not know files. Layout: length (u32), CRC-32 of the payload (u32), payload; integers little-endian, the
//! payload's integers LEB128.

use std::collections::HashMap;

use crate::{Labels, Timestamp};

/// Samples at one moment, on their way to the log.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) at: Timestamp,
    pub(super) samples: Vec<(u32, Labels, f64)>,
}

/// What one segment's records have defined so far, on the writing side.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    references: HashMap<u32, usize>,
    values: Vec<u64>,
}

impl Encoder {
    /// Appends the record of a round to `out`.
    pub(super) fn encode(
        &mut self,
        at: Timestamp,
        samples: &[(u32, Labels, f64)],
        out: &mut Vec<u8>,
    ) {
        let mut definitions = Vec::new();
        let mut defined = 0_u64;
        let mut body = Vec::new();
        let mut previous = -1_i64;
        for (id, labels, value) in samples {
            let reference = *self.references.entry(*id).or_insert_with(|| {
                self.values.push(0);
                defined += 1;
                put(&mut definitions, labels.len() as u64);
                for text in labels.iter().flat_map(|(name, value)| [name, value]) {
                    put(&mut definitions, text.len() as u64);
                    definitions.extend_from_slice(text.as_bytes());
                }
                self.values.len() - 1
            });
            let Some(last) = self.values.get_mut(reference) else { continue };
            let xor = *last ^ value.to_bits();
            *last = value.to_bits();
            let position = i64::try_from(reference).unwrap_or(i64::MAX);
            put(&mut body, (zigzag(position - previous - 1) << 1) | u64::from(xor != 0));
            previous = position;
            if xor != 0 {
                // How many zero bytes to shift by and how many bytes follow, four bits each.
                let shift = xor.trailing_zeros() / 8;
                let width = 8 - xor.leading_zeros() / 8 - shift;
                body.push(u8::try_from((shift << 4) | width).unwrap_or(0));
                body.extend((xor >> (8 * shift)).to_le_bytes().into_iter().take(width as usize));
            }
        }
        let mut payload = Vec::with_capacity(definitions.len() + body.len() + 20);
        put(&mut payload, zigzag(at));
        put(&mut payload, defined);
        payload.extend(definitions);
        put(&mut payload, samples.len() as u64);
        payload.extend(body);
        out.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(crc32fast::hash(&payload).to_le_bytes());
        out.extend(payload);
    }
}

/// What one segment's records have defined so far, on the reading side.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    series: Vec<(Labels, u64)>,
}

impl Decoder {
    /// Reads the record at the start of `bytes`, hands its samples over and returns its length; `None` when it is torn
    /// or damaged.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        mut keep: impl FnMut(Timestamp, &Labels, f64),
    ) -> Option<usize> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let mut payload = rest.get(..length)?;
        if length == 0 || crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
            return None;
        }
        let at = unzigzag(take(&mut payload)?);
        for _ in 0..take(&mut payload)? {
            let count = take(&mut payload)?;
            let mut pairs = Vec::new();
            for _ in 0..count {
                pairs.push((text(&mut payload)?, text(&mut payload)?));
            }
            self.series.push((Labels::new(pairs), 0));
        }
        let mut position = -1_i64;
        for _ in 0..take(&mut payload)? {
            let token = take(&mut payload)?;
            position = position.checked_add(unzigzag(token >> 1))?.checked_add(1)?;
            let (labels, last) = self.series.get_mut(usize::try_from(position).ok()?)?;
            if token & 1 == 1 {
                let (header, tail) = payload.split_first()?;
                let (shift, width) = (u32::from(header >> 4), usize::from(header & 15));
                let mut xor = [0_u8; 8];
                xor.get_mut(..width)?.copy_from_slice(tail.get(..width)?);
                payload = tail.get(width..)?;
                *last ^= u64::from_le_bytes(xor).checked_shl(8 * shift)?;
            }
            keep(at, labels, f64::from_bits(*last));
        }
        Some(length + 8)
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}
