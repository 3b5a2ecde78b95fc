// SPDX-License-Identifier: Apache-2.0

//! Layers: a tar archive with one file of incompressible bytes, in a gzip frame that does not try.

use bytes::Bytes;

use super::super::digest::sha256;

/// Tar works in blocks of this size, and ends with two empty ones.
const BLOCK: usize = 512;

/// The longest run of bytes that gzip can store as they are.
const STORED: usize = u16::MAX as usize;

/// Deflate, no name, no time, no operating system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A layer as it is stored, and the digest of what is inside, as a config lists it.
pub(super) struct Layer {
    pub(super) compressed: Bytes,
    pub(super) diff_id: String,
}

/// A layer with one file of `size` bytes that no other seed gives.
pub(super) fn layer(seed: u64, size: usize) -> Layer {
    let archive = tar(&format!("data/{seed:016x}"), &noise(seed, size));
    Layer {
        diff_id: sha256(&archive),
        compressed: gzip(&archive),
    }
}

/// The digest of what is inside a layer that [`layer`] made.
pub(super) fn diff_id(compressed: &[u8]) -> String {
    let mut archive = Vec::with_capacity(compressed.len());
    let mut rest = &compressed[GZIP_HEADER.len()..];
    loop {
        let (is_last, length) = (
            rest[0] == 1,
            usize::from(u16::from_le_bytes([rest[1], rest[2]])),
        );
        archive.extend_from_slice(&rest[5..5 + length]);
        rest = &rest[5 + length..];
        if is_last {
            return sha256(&archive);
        }
    }
}

/// Bytes that do not compress, the same for the same seed.
pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut field = |offset: usize, text: &str| {
        header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let checksum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    let mut archive = Vec::with_capacity(content.len() + 4 * BLOCK);
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

fn gzip(content: &[u8]) -> Bytes {
    let mut stored = GZIP_HEADER.to_vec();
    stored.reserve(content.len() + content.len() / STORED * 5 + 32);
    let mut runs = content.chunks(STORED).peekable();
    while let Some(run) = runs.next() {
        let length = u16::try_from(run.len()).expect("at most one run");
        stored.push(u8::from(runs.peek().is_none()));
        stored.extend_from_slice(&length.to_le_bytes());
        stored.extend_from_slice(&(!length).to_le_bytes());
        stored.extend_from_slice(run);
    }
    stored.extend_from_slice(&crc32(content).to_le_bytes());
    stored.extend_from_slice(
        &u32::try_from(content.len())
            .expect("below 4 GiB")
            .to_le_bytes(),
    );
    stored.into()
}

fn crc32(content: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (value, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8).fold(value, |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        });
    }
    let step = |crc: u32, byte: &u8| table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
    !content.iter().fold(!0, step)
}
