// SPDX-License-Identifier: Apache-2.0

//! As much DER as the sites of the tests write themselves.

/// An element with its tag.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(u8::try_from(length).unwrap()),
        0x80..=0xff => out.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            out.extend([0x82, high, low]);
        }
    }
    out.extend(content);
    out
}

/// A SEQUENCE.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

/// A SET, whose elements must be in the order of DER already.
pub(super) fn set(elements: &[&[u8]]) -> Vec<u8> {
    element(0x31, &elements.concat())
}

/// A small INTEGER.
pub(super) fn integer(value: u8) -> Vec<u8> {
    element(0x02, &[value])
}

/// An OCTET STRING.
pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// An OBJECT IDENTIFIER.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else {
        panic!("an object identifier has two arcs");
    };
    let mut content = vec![u8::try_from(first * 40 + second).unwrap()];
    for arc in rest {
        let mut groups = vec![u8::try_from(arc & 0x7f).unwrap()];
        let mut left = arc >> 7;
        while left > 0 {
            groups.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        content.extend(groups.iter().rev());
    }
    element(0x06, &content)
}

/// The first element of what an element contains, whole, and what comes behind it.
pub(super) fn first(whole: &[u8]) -> (&[u8], &[u8]) {
    split(content(whole))
}

/// An element and what comes behind it.
pub(super) fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = measure(bytes);
    bytes.split_at(header + length)
}

fn content(whole: &[u8]) -> &[u8] {
    let (header, length) = measure(whole);
    &whole[header..header + length]
}

fn measure(bytes: &[u8]) -> (usize, usize) {
    match bytes[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(bytes[2])),
        _ => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
    }
}
