//! Content codings (RFC 9110 §8.4.1): undone piece by piece, no further than wanted.
//!
//! One coding, the one that the module names, whatever the answer's headers say. Must not know connections or expectations.

use std::io::{self, Write};

use brotli_decompressor::{BrotliDecoderParameter, DecompressorWriter};
use flate2::{Decompress, FlushDecompress, Status, write::MultiGzDecoder};
use notation::Diagnostic;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    decoder::{Decoder, cut_off, trailing_data},
    zstd::Zstd,
};

/// How much is decoded at once.
const PIECE_BYTES: usize = 32 * 1024;

/// A coding, by its registered name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// None.
    #[default]
    Identity,
    Gzip,
    Br,
    /// The data alone, without the zlib header that the name stands for: so `blackbox_exporter` has it.
    Deflate,
    Zstd,
}

/// Reads the coding of a module; an empty text means none.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Coding>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "identity" => Ok(Some(Coding::Identity)),
        "gzip" => Ok(Some(Coding::Gzip)),
        "br" => Ok(Some(Coding::Br)),
        "deflate" => Ok(Some(Coding::Deflate)),
        "zstd" => Ok(Some(Coding::Zstd)),
        _ => Err(D::Error::custom(
            Diagnostic::new(format!("`{text}` is not a content coding"))
                .hint("write gzip, br, deflate, zstd or identity"),
        )),
    }
}

impl Serialize for Coding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Coding {
    /// The name in headers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Deflate => "deflate",
            Self::Identity => "identity",
            Self::Zstd => "zstd",
        }
    }

    /// Whether an `Accept-Encoding` lets a server answer in this coding, read as `blackbox_exporter` reads it.
    pub(super) fn is_accepted_by(self, accept_encoding: &str) -> bool {
        let accepts = |entry: &str| {
            let (name, quality) = entry.rsplit_once(';').unwrap_or((entry, "1"));
            let quality = quality.trim();
            let quality: f32 = quality.strip_prefix("q=").unwrap_or(quality).parse().unwrap_or(0.0);
            // Servers distinguish thousandths and no more.
            (name.trim() == self.name() || name.trim() == "*") && quality >= 0.0005
        };
        accept_encoding.is_empty() || accept_encoding.split(',').any(accepts)
    }

    /// A decoder that hands what it decodes to `sink`.
    pub(super) fn decoder<S: Write + Send + 'static>(self, sink: S) -> Box<dyn Decoder<S>> {
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(sink)),
            Self::Br => {
                let mut decoder = DecompressorWriter::new(sink, PIECE_BYTES);
                // Otherwise a few bytes could ask for a window of a gigabyte.
                decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                Box::new(decoder)
            }
            Self::Deflate => Box::new(Inflate::new(sink)),
            Self::Identity => Box::new(Plain(sink)),
            Self::Zstd => Box::new(Zstd::new(sink)),
        }
    }
}

/// No coding.
struct Plain<S>(S);

impl<S: Write + Send> Decoder<S> for Plain<S> {
    fn decode(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sink(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: Write + Send> Decoder<S> for MultiGzDecoder<S> {
    fn decode(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.try_finish()
    }

    fn sink(&mut self) -> &mut S {
        self.get_mut()
    }
}

impl<S: Write + Send> Decoder<S> for DecompressorWriter<S> {
    fn decode(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes)? {
                0 => return Err(trailing_data()),
                taken => bytes = bytes.get(taken..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.close().map_err(|_| cut_off())
    }

    fn sink(&mut self) -> &mut S {
        self.get_mut()
    }
}

/// Deflate without any header (RFC 1951).
struct Inflate<S> {
    state: Decompress,
    piece: Vec<u8>,
    ended: bool,
    sink: S,
}

impl<S> Inflate<S> {
    fn new(sink: S) -> Self {
        let state = Decompress::new(false);
        Self { state, piece: Vec::with_capacity(PIECE_BYTES), ended: false, sink }
    }
}

impl<S: Write + Send> Decoder<S> for Inflate<S> {
    fn decode(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            if self.ended {
                // What follows is nobody's, as in the library of Go.
                return Ok(());
            }
            self.piece.clear();
            let before = self.state.total_in();
            let status =
                self.state.decompress_vec(bytes, &mut self.piece, FlushDecompress::None)?;
            let taken = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(taken..).unwrap_or_default();
            self.sink.write_all(&self.piece)?;
            self.ended = status == Status::StreamEnd;
            // What is left in the decoder would have filled the piece.
            if bytes.is_empty() && self.piece.len() < self.piece.capacity() && !self.ended {
                return Ok(());
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.ended { Ok(()) } else { Err(cut_off()) }
    }

    fn sink(&mut self) -> &mut S {
        &mut self.sink
    }
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder},
    };
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Br, Coding::Deflate, Coding::Zstd];

    fn encoded(coding: Coding, data: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => data.to_vec(),
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Br => {
                let mut encoded = Vec::new();
                brotli::CompressorWriter::new(&mut encoded, 4096, 9, 22).write_all(data).unwrap();
                encoded
            }
            Coding::Zstd => compress_to_vec(data, CompressionLevel::Fastest),
        }
    }

    fn decoded(coding: Coding, pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut decoder = coding.decoder(Vec::new());
        for piece in pieces {
            decoder.decode(piece)?;
        }
        decoder.end()?;
        Ok(std::mem::take(decoder.sink()))
    }

    /// Text that is worth encoding, long enough for several blocks.
    fn text() -> Vec<u8> {
        (0..20_000_u32).flat_map(|number| (number * 7919 % 1000).to_string().into_bytes()).collect()
    }

    #[test]
    fn what_was_encoded_is_decoded_however_it_is_cut() {
        for coding in CODINGS {
            for data in [b"".to_vec(), b"{}".to_vec(), text()] {
                let encoded = encoded(coding, &data);
                assert!(decoded(coding, &[&encoded]).unwrap() == data, "{coding:?}");
                let bytes: Vec<&[u8]> = encoded.chunks(1).collect();
                assert!(decoded(coding, &bytes).unwrap() == data, "{coding:?} byte by byte");
                for end in (0..encoded.len()).step_by(1 + encoded.len() / 100) {
                    let (start, rest) = encoded.split_at(end);
                    assert!(decoded(coding, &[start]).is_err(), "{coding:?} cut at {end}");
                    assert!(decoded(coding, &[start, rest]).unwrap() == data, "{coding:?} {end}");
                }
            }
        }
    }

    #[test]
    fn foreign_data_are_refused() {
        for coding in CODINGS {
            for foreign in [&b""[..], b"{\"status\":\"ok\"}", b"\x00\x00", &[0xFF; 100]] {
                assert!(decoded(coding, &[foreign]).is_err(), "{coding:?} {foreign:?}");
            }
            let mut twice = encoded(coding, b"{}");
            twice.extend_from_slice(b"more");
            // Deflate has no frame that could distinguish what follows from it.
            let refused = coding != Coding::Deflate;
            assert_eq!(decoded(coding, &[&twice]).is_err(), refused, "{coding:?}");
        }
        // Several in a row are one, where the format says so.
        for coding in [Coding::Gzip, Coding::Zstd] {
            let twice = encoded(coding, b"{}").repeat(2);
            assert_eq!(decoded(coding, &[&twice]).unwrap(), b"{}{}", "{coding:?}");
        }
        let frame = encoded(Coding::Zstd, b"{}");
        let skippable = b"\x50\x2A\x4D\x18\x03\x00\x00\x00abc";
        assert_eq!(decoded(Coding::Zstd, &[skippable, &frame]).unwrap(), b"{}");
    }

    #[test]
    fn broken_data_end_in_an_error_or_in_bytes() {
        let mut random = 1_u32;
        for coding in CODINGS {
            let encoded = encoded(coding, &text()[..20_000]);
            for _ in 0..500 {
                let mut broken = encoded.clone();
                for _ in 0..4 {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let place = (random >> 8) as usize % broken.len();
                    broken[place] = (random & 0xFF) as u8;
                }
                let _either = decoded(coding, &[&broken]);
            }
        }
    }

    #[test]
    fn accepting_is_read_as_blackbox_exporter_reads_it() {
        for (header, accepted) in [
            ("", true),
            ("gzip", true),
            ("deflate, gzip", true),
            ("deflate;q=0.5, gzip;q=0.1", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, *;q=0.1", true),
            ("*;q=0.0", false),
            ("gzip;q=much", false),
            ("deflate", false),
            ("GZIP", false),
            ("identity", false),
        ] {
            assert_eq!(Coding::Gzip.is_accepted_by(header), accepted, "{header}");
        }
    }
}
