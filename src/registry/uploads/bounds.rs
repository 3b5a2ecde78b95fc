// SPDX-License-Identifier: Apache-2.0

//! How much of a blob a registry takes at once (distribution specification, pushing a blob in chunks).

use reqwest::header::HeaderMap;

/// How much is sent at once where the registry says nothing, in bytes.
pub(in crate::registry) const CHUNK: u64 = 4 * 1024 * 1024;

/// The largest chunk that is held because a registry takes no smaller ones.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The most chunks of one blob.
pub(super) const MOST_CHUNKS: u64 = 10_000;

/// What a registry says of the chunks that it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// `OCI-Chunk-Min-Length`; the last one may be smaller.
    least: Option<u64>,
    /// `OCI-Chunk-Max-Length` (regclient, Cloudflare's serverless registry).
    most: Option<u64>,
}

// === impl Bounds ===

impl Bounds {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let number = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            text.parse().ok().filter(|number| *number > 0)
        };
        Self {
            least: number("oci-chunk-min-length"),
            most: number("oci-chunk-max-length"),
        }
    }

    pub(super) fn most(self) -> Option<u64> {
        self.most
    }

    /// How much of a blob of `size` bytes is sent at once; nothing where all of it is. `learned` is what the
    /// registry turned out to take.
    pub(super) fn chunk(self, size: u64, learned: Option<u64>) -> Option<u64> {
        let Self { least, most } = self;
        let exceeds = most.is_some_and(|most| size > most);
        if size == 0 || !exceeds && learned.is_none() {
            return None;
        }
        let wanted = learned.unwrap_or(CHUNK).min(CHUNK);
        let wanted = wanted.max(least.unwrap_or(0)).max(size / MOST_CHUNKS);
        let chunk = wanted.min(most.unwrap_or(u64::MAX)).max(1);
        (chunk <= LARGEST).then_some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn how_much_is_sent_at_once() {
        let mib = 1024 * 1024;
        // Least, most, what was learned, size, chunk.
        let cases = [
            (None, None, None, 100 * mib, None),
            (Some(5 * mib), None, None, 100 * mib, None),
            (None, Some(100 * mib), None, 100 * mib, None),
            (None, Some(100 * mib), None, 101 * mib, Some(CHUNK)),
            (None, Some(mib), None, 2 * mib, Some(mib)),
            (None, Some(10), None, 25, Some(10)),
            (None, Some(10), None, 10, None),
            (Some(5 * mib), Some(10 * mib), None, 11 * mib, Some(5 * mib)),
            (None, None, Some(CHUNK), 10, Some(CHUNK)),
            (None, None, Some(mib), 100 * mib, Some(mib)),
            (None, Some(10), Some(mib), 100, Some(10)),
            (Some(5 * mib), None, Some(mib), 100 * mib, Some(5 * mib)),
            (Some(65 * mib), None, Some(mib), 100 * mib, None),
            (None, None, Some(mib), 0, None),
            (None, None, Some(1), 1_000_000, Some(100)),
        ];
        for (least, most, learned, size, expected) in cases {
            let chunk = Bounds { least, most }.chunk(size, learned);
            assert_eq!(chunk, expected, "{least:?} {most:?} {learned:?} {size}");
        }
    }

    #[test]
    fn bounds_as_they_are_written() {
        let of = |least: &'static str, most: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("oci-chunk-min-length", HeaderValue::from_static(least));
            headers.insert("OCI-Chunk-Max-Length", HeaderValue::from_static(most));
            let Bounds { least, most } = Bounds::of(&headers);
            (least, most)
        };
        assert_eq!(of("5", " 10 "), (Some(5), Some(10)));
        assert_eq!(of("0", "-1"), (None, None));
        assert_eq!(of("", "99999999999999999999999"), (None, None));
        assert_eq!(Bounds::of(&HeaderMap::new()), Bounds::default());
    }
}
