// SPDX-License-Identifier: Apache-2.0

//! The tar format (POSIX pax, GNU tar), as far as archives of images use it: headers are read and written, contents
//! stay where they are.

use super::volume::Volume;
use crate::layout::error::Error;
use crate::oci::limits;

/// The length of a header, and what contents are filled up to.
pub(in crate::layout) const BLOCK: u64 = 512;
/// How many zeros stand behind the last file.
pub(in crate::layout) const END: usize = 1_024;
/// The length of a header in memory.
const LENGTH: usize = 512;
/// Longest name, or set of pax records, that is read, in bytes.
const EXTENSION_BYTES: u64 = 64 * 1024;
/// The largest size that a header has room for in octal digits.
const OCTAL_MOST: u64 = 0o777_7777_7777;
/// How the formats begin that are not tar.
const FOREIGN: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz"),
];

/// One file or link of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::layout) struct Entry {
    /// Its path from the root of the archive.
    pub(in crate::layout) name: String,
    /// What it leads to, where it is a link.
    pub(in crate::layout) link: Option<String>,
    /// Where its bytes are.
    pub(in crate::layout) span: Span,
}

/// Bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::layout) struct Span {
    pub(in crate::layout) start: u64,
    pub(in crate::layout) length: u64,
}

/// What entries before an entry say of it.
#[derive(Default)]
struct Extensions {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// Goes from header to header.
struct Scanner<'a> {
    volume: &'a Volume,
    /// How long it is.
    end: u64,
    extensions: Extensions,
    entries: Vec<Entry>,
}

/// The files and links of an archive, in their order. What is wrong is named by its offset.
pub(in crate::layout) fn scan(volume: &Volume) -> Result<Vec<Entry>, Error> {
    refuse_foreign(volume)?;
    let mut scanner = Scanner {
        volume,
        end: volume.length(),
        extensions: Extensions::default(),
        entries: Vec::new(),
    };
    let mut offset = 0;
    // Some writers leave out the two blocks of zeros at the end.
    while offset < scanner.end {
        match scanner.step(offset)? {
            Some(next) => offset = next,
            None => break,
        }
    }
    Ok(scanner.entries)
}

// === impl Scanner ===

impl Scanner<'_> {
    /// Reads the header at an offset, and says where the next one is; none behind the last.
    fn step(&mut self, offset: u64) -> Result<Option<u64>, Error> {
        let mut header = [0_u8; LENGTH];
        if self.end - offset < BLOCK {
            return Err(self.damaged(offset, "the file ends in the middle of a header"));
        }
        self.volume.read_exact_at(&mut header, offset)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !has_checksum(&header) {
            let what = "there is no header where one has to be: its checksum is wrong";
            return Err(self.damaged(offset, what));
        }
        let kind = header.get(156).copied().unwrap_or_default();
        let is_extension = matches!(kind, b'L' | b'K' | b'x' | b'g');
        let written = number(&header, 124, 12)
            .ok_or_else(|| self.damaged(offset, "the size of an entry is no number"))?;
        let length = match self.extensions.size {
            Some(size) if !is_extension => size,
            _ => written,
        };
        let start = offset + BLOCK;
        let next = start
            .checked_add(length)
            .and_then(|stop| stop.checked_next_multiple_of(BLOCK));
        let (Some(next), true) = (next, length <= self.end.saturating_sub(start)) else {
            let name = self.extensions.name.take().unwrap_or_else(|| name(&header));
            return Err(self.damaged(offset, &format!("the file ends in the middle of {name}")));
        };
        let span = Span { start, length };
        if is_extension {
            let text = read(self.volume, span, EXTENSION_BYTES)?;
            self.extensions.take(kind, &text);
        } else {
            self.add(&header, kind, span)?;
        }
        Ok(Some(next))
    }

    fn add(&mut self, header: &[u8], kind: u8, span: Span) -> Result<(), Error> {
        let Extensions {
            name: long,
            link,
            size: _,
        } = std::mem::take(&mut self.extensions);
        let name = long.unwrap_or_else(|| name(header));
        let link = link.unwrap_or_else(|| text(header, 157, 100));
        self.entries.push(Entry {
            name: relative(&name).to_owned(),
            link: matches!(kind, b'1' | b'2').then_some(link),
            span,
        });
        if self.entries.len() > limits::LIST_ENTRIES {
            return Err(Error::TooMany {
                path: self.volume.path().to_owned(),
                what: "files",
                most: limits::LIST_ENTRIES,
            });
        }
        Ok(())
    }

    fn damaged(&self, offset: u64, what: &str) -> Error {
        self.volume.damaged(offset, what.to_owned())
    }
}

/// A path as it is where the archive is unpacked: without the `./` and `/` that some writers put before it.
fn relative(path: &str) -> &str {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./").or(path.strip_prefix('/')) {
        path = rest;
    }
    path
}

/// The bytes of a span, at most so many.
pub(in crate::layout) fn read(volume: &Volume, span: Span, most: u64) -> Result<Vec<u8>, Error> {
    let Span { start, length } = span;
    if length > most {
        return Err(Error::TooMany {
            path: volume.path().to_owned(),
            what: "bytes in one of its documents",
            most: usize::try_from(most).unwrap_or(usize::MAX),
        });
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    volume.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

/// What stands before the bytes of a file. What a header has no room for stands in pax records before it.
pub(in crate::layout) fn header(name: &str, size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    if name.len() > 100 {
        records.extend(record("path", name));
    }
    if size > OCTAL_MOST {
        records.extend(record("size", &size.to_string()));
    }
    let mut bytes = Vec::new();
    if !records.is_empty() {
        bytes.extend(block("pax", records.len() as u64, b'x'));
        let padding = padding(records.len() as u64);
        bytes.append(&mut records);
        bytes.resize(bytes.len() + padding, 0);
    }
    bytes.extend(block(name, size.min(OCTAL_MOST), b'0'));
    bytes
}

/// Zeros between the end of so many bytes and the next header.
pub(in crate::layout) fn padding(size: u64) -> usize {
    let over = size % BLOCK;
    usize::try_from((BLOCK - over) % BLOCK).unwrap_or_default()
}

// === impl Extensions ===

impl Extensions {
    fn take(&mut self, kind: u8, text: &[u8]) {
        let all = String::from_utf8_lossy(text);
        let whole = all.trim_end_matches('\0').to_owned();
        match kind {
            b'L' => self.name = Some(whole),
            b'K' => self.link = Some(whole),
            b'x' => {
                for (key, value) in records(text) {
                    match key.as_str() {
                        "path" => self.name = Some(value),
                        "linkpath" => self.link = Some(value),
                        "size" => self.size = value.parse().ok(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

// === shared ===

fn refuse_foreign(volume: &Volume) -> Result<(), Error> {
    let mut start = [0_u8; 5];
    let read = volume.read_at(&mut start, 0)?;
    let start = start.get(..read).unwrap_or_default();
    match FOREIGN.iter().find(|(magic, ..)| start.starts_with(magic)) {
        Some((_, format, tool)) => Err(Error::bad_file(
            volume.path().to_owned(),
            format!("it is compressed with {format}: unpack it first, with {tool}"),
        )),
        None => Ok(()),
    }
}

/// Records of `LENGTH KEY=VALUE\n` (POSIX pax); reading ends with the first that is none.
fn records(mut text: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some(space) = text.iter().position(|byte| *byte == b' ') {
        let length = text
            .get(..space)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        let Some(length) = length.filter(|length| *length > space + 1) else {
            break;
        };
        let Some(record) = text.get(space + 1..length.saturating_sub(1)) else {
            break;
        };
        let record = String::from_utf8_lossy(record);
        if let Some((key, value)) = record.split_once('=') {
            found.push((key.to_owned(), value.to_owned()));
        }
        text = text.get(length..).unwrap_or_default();
    }
    found
}

/// A pax record, whose length counts its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    format!("{length} {key}={value}\n").into_bytes()
}

fn block(name: &str, size: u64, kind: u8) -> [u8; LENGTH] {
    let mut header = [0_u8; LENGTH];
    let mut put = |at: usize, bytes: &[u8]| {
        for (place, byte) in header.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    put(
        0,
        name.as_bytes()
            .get(..name.len().min(100))
            .unwrap_or_default(),
    );
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in header
        .iter_mut()
        .skip(148)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *place = byte;
    }
    header
}

/// Whether the sum of a header is what it says, with its own field as blanks.
fn has_checksum(header: &[u8; LENGTH]) -> bool {
    let sum = header.iter().enumerate().map(|(at, byte)| match at {
        148..156 => u64::from(b' '),
        _ => u64::from(*byte),
    });
    number(header, 148, 8) == Some(sum.sum())
}

/// A number in octal digits, or in binary where the first bit is set (GNU).
fn number(header: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = header.get(at..at + length)?;
    if field.first()? & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |value, byte| {
            value.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let digits = std::str::from_utf8(field).ok()?;
    let digits = digits.trim_matches(['\0', ' ']);
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

fn name(header: &[u8]) -> String {
    let (prefix, name) = (text(header, 345, 155), text(header, 0, 100));
    let is_posix = header.get(257..263) == Some(b"ustar\0");
    if is_posix && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

fn text(header: &[u8], at: usize, length: usize) -> String {
    let field = header.get(at..at + length).unwrap_or_default();
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn archive(parts: &[&[u8]]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for part in parts {
            file.write_all(part).unwrap();
        }
        file
    }

    fn listed(file: &tempfile::NamedTempFile) -> Result<Vec<(String, u64, u64)>, String> {
        let path = file.path().display().to_string();
        let volume = Volume::open(file.path()).unwrap();
        let entries = scan(&volume).map_err(|error| error.to_string().replace(&path, "a.tar"))?;
        let entries = entries.into_iter();
        Ok(entries
            .map(|entry| (entry.name, entry.span.start, entry.span.length))
            .collect())
    }

    #[test]
    fn what_is_written_is_read() {
        let long = format!("blobs/sha512/{}", "a".repeat(128));
        let content = [b'x'; 700];
        let pad = vec![0; padding(700)];
        let file = archive(&[
            &header("oci-layout", 0),
            &header(&long, 700),
            &content,
            &pad,
            &header("./index.json", 1),
            b"y",
            &vec![0; padding(1)],
            &[0; 1024],
        ]);
        let expected = [
            ("oci-layout".to_owned(), 512, 0),
            (long, 2_048, 700),
            ("index.json".to_owned(), 3_584, 1),
        ];
        assert_eq!(listed(&file).unwrap(), expected);
    }

    #[test]
    fn names_begin_at_the_root_of_the_archive() {
        for (name, expected) in [
            ("index.json", "index.json"),
            ("./index.json", "index.json"),
            ("/index.json", "index.json"),
            (".//./index.json", "index.json"),
            ("//blobs/sha256/a", "blobs/sha256/a"),
            ("../index.json", "../index.json"),
            (".hidden", ".hidden"),
        ] {
            assert_eq!(relative(name), expected, "{name}");
        }
    }

    #[test]
    fn sizes_beyond_eight_gigabytes_are_read_from_records_and_binary_numbers() {
        let size = 9 * 1024 * 1024 * 1024;
        let mut binary = header("big", 0);
        binary.splice(124..136, [0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]);
        assert_eq!(number(&binary, 124, 12), Some(size));
        let extended = header("big", size);
        let written = records(extended.get(512..1_024).unwrap());
        assert_eq!(written, [("size".to_owned(), size.to_string())]);
    }

    #[test]
    fn what_is_damaged_is_named_by_its_offset() {
        let whole = [
            header("a", 3),
            b"abc".to_vec(),
            vec![0; 509],
            header("b", 600),
        ]
        .concat();
        let mut flipped = whole.clone();
        flipped.splice(1_024..1_025, [b'z']);
        let cases = [
            whole.get(..1_500).unwrap().to_vec(),
            whole.clone(),
            flipped,
            [b"\x1f\x8b\x08".to_vec(), vec![0; 600]].concat(),
            vec![b'x'; 2_000],
        ];
        let said = cases.map(|bytes| listed(&archive(&[&bytes])).unwrap_err());
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_stop_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000)) {
            let _ = listed(&archive(&[&header("a", 3), &bytes]));
            let _ = listed(&archive(&[&bytes]));
            let _ = records(&bytes);
        }
    }
}
