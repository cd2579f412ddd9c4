//! Gorilla compression of one series' samples: delta-of-delta timestamps and values combined by exclusive or
//! (Pelkonen et al., "Gorilla: a fast, scalable, in-memory time series database", VLDB 2015, §4.1).
//!
//! Must not know labels, files or which series a chunk belongs to.

use crate::{Sample, Timestamp};

/// The widths in bits of a non-zero delta-of-delta, by the number of ones in its prefix; the last one holds any value.
const DELTA_WIDTHS: [u32; 4] = [14, 17, 20, 64];

/// A compressed run of samples in ascending order of time, open for more.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    bits: BitWriter,
    count: u32,
    first: Timestamp,
    state: State,
}

/// What coder and decoder both remember of the samples so far.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    timestamp: Timestamp,
    delta: i64,
    value: u64,
    leading: u32,
    width: u32,
}

impl Chunk {
    /// How many samples the chunk holds.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The time of the first sample; zero for an empty chunk.
    pub(super) fn first(&self) -> Timestamp {
        self.first
    }

    /// The time of the last sample; zero for an empty chunk.
    pub(super) fn last(&self) -> Timestamp {
        self.state.timestamp
    }

    /// The last sample; `None` for an empty chunk. Nothing is decoded for it.
    pub(super) fn last_sample(&self) -> Option<Sample> {
        let State { timestamp, value, .. } = self.state;
        (self.count > 0).then(|| Sample { timestamp, value: f64::from_bits(value) })
    }

    /// The memory the samples take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bits.bytes.capacity()
    }

    /// Releases the memory that a closed chunk will not need.
    pub(super) fn close(&mut self) {
        self.bits.bytes.shrink_to_fit();
    }

    /// Adds a sample; the caller keeps the order of time.
    pub(super) fn push(&mut self, sample: Sample) {
        let value = sample.value.to_bits();
        if self.count == 0 {
            self.first = sample.timestamp;
            self.bits.push(sample.timestamp.cast_unsigned(), 64);
            self.bits.push(value, 64);
        } else {
            let delta = sample.timestamp.wrapping_sub(self.state.timestamp);
            self.push_delta(delta.wrapping_sub(self.state.delta));
            self.push_value(value ^ self.state.value);
            self.state.delta = delta;
        }
        self.state.timestamp = sample.timestamp;
        self.state.value = value;
        self.count += 1;
    }

    fn push_delta(&mut self, change: i64) {
        let zigzag = ((change << 1) ^ (change >> 63)).cast_unsigned();
        if zigzag == 0 {
            self.bits.push(0, 1);
            return;
        }
        for (prefix, width) in (1_u32..).zip(DELTA_WIDTHS) {
            if width == 64 {
                self.bits.push(0b1111, 4);
                self.bits.push(zigzag, 64);
            } else if zigzag >> width == 0 {
                // `prefix` ones and a zero.
                self.bits.push((1 << (prefix + 1)) - 2, prefix + 1);
                self.bits.push(zigzag, width);
                return;
            }
        }
    }

    fn push_value(&mut self, xor: u64) {
        if xor == 0 {
            self.bits.push(0, 1);
            return;
        }
        // Five bits hold the leading zeros.
        let leading = xor.leading_zeros().min(31);
        let trailing = xor.trailing_zeros();
        let width = 64 - leading - trailing;
        let old_trailing = 64_u32.saturating_sub(self.state.leading + self.state.width);
        // Reusing the window saves eleven bits; a window much too wide costs more than that.
        if self.state.width > 0
            && leading >= self.state.leading
            && trailing >= old_trailing
            && self.state.width <= width + 11
        {
            self.bits.push(0b10, 2);
            self.bits.push(xor >> old_trailing, self.state.width);
        } else {
            self.bits.push(0b11, 2);
            self.bits.push(u64::from(leading), 5);
            self.bits.push(u64::from(width - 1), 6);
            self.bits.push(xor >> trailing, width);
            self.state.leading = leading;
            self.state.width = width;
        }
    }

    /// The samples in ascending order of time.
    pub(super) fn iter(&self) -> Samples<'_> {
        Samples {
            bits: BitReader { bytes: &self.bits.bytes, position: 0 },
            left: self.count,
            begun: false,
            state: State::default(),
        }
    }
}

/// Decodes a chunk.
pub(super) struct Samples<'a> {
    bits: BitReader<'a>,
    left: u32,
    begun: bool,
    state: State,
}

impl Samples<'_> {
    fn read_delta(&mut self) -> Option<i64> {
        if self.bits.read(1)? == 0 {
            return Some(0);
        }
        let mut ones = 1;
        while ones < 4 && self.bits.read(1)? == 1 {
            ones += 1;
        }
        let zigzag = self.bits.read(*DELTA_WIDTHS.get(ones - 1)?)?;
        Some((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    fn read_value(&mut self) -> Option<u64> {
        if self.bits.read(1)? == 0 {
            return Some(0);
        }
        if self.bits.read(1)? == 1 {
            self.state.leading = u32::try_from(self.bits.read(5)?).ok()?;
            self.state.width = u32::try_from(self.bits.read(6)?).ok()? + 1;
        }
        let trailing = 64_u32.checked_sub(self.state.leading + self.state.width)?;
        Some(self.bits.read(self.state.width)? << trailing)
    }
}

impl Iterator for Samples<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        self.left = self.left.checked_sub(1)?;
        if self.begun {
            let change = self.read_delta()?;
            self.state.delta = self.state.delta.wrapping_add(change);
            self.state.timestamp = self.state.timestamp.wrapping_add(self.state.delta);
            self.state.value ^= self.read_value()?;
        } else {
            self.begun = true;
            self.state.timestamp = self.bits.read(64)?.cast_signed();
            self.state.value = self.bits.read(64)?;
        }
        Some(Sample { timestamp: self.state.timestamp, value: f64::from_bits(self.state.value) })
    }
}

/// Bits in bytes, the most significant first.
#[derive(Clone, Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    free: u32,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`.
    fn push(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = count.min(self.free);
            let part = (value >> (count - taken)) & ((1 << taken) - 1);
            if let (Some(last), Ok(part)) =
                (self.bytes.last_mut(), u8::try_from(part << (self.free - taken)))
            {
                *last |= part;
            }
            self.free -= taken;
            count -= taken;
        }
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl BitReader<'_> {
    /// The next `count` bits; `None` past the end.
    fn read(&mut self, count: u32) -> Option<u64> {
        let mut left = count as usize;
        let mut value = 0_u64;
        while left > 0 {
            let byte = u64::from(*self.bytes.get(self.position / 8)?);
            let free = 8 - self.position % 8;
            let taken = left.min(free);
            value = (value << taken) | ((byte >> (free - taken)) & ((1 << taken) - 1));
            self.position += taken;
            left -= taken;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_bit_pattern_survives(samples in proptest::collection::vec((any::<i64>(), prop_oneof![
            any::<u64>(), Just(0x7ff0_0000_0000_0002), Just(f64::INFINITY.to_bits()), (0_u32..9).prop_map(|n| f64::from(n).to_bits()),
        ]), 0..200)) {
            let mut chunk = Chunk::default();
            for (timestamp, bits) in &samples {
                chunk.push(Sample { timestamp: *timestamp, value: f64::from_bits(*bits) });
            }
            let last = chunk.last_sample().map(|sample| (sample.timestamp, sample.value.to_bits()));
            prop_assert_eq!(last, samples.last().copied());
            let read: Vec<_> = chunk.iter().map(|sample| (sample.timestamp, sample.value.to_bits())).collect();
            prop_assert_eq!(read, samples);
        }
    }
}
