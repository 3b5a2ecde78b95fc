// SPDX-License-Identifier: Apache-2.0

//! Parts of a blob: `Range` and `Content-Range` (RFC 9110, section 14).

use reqwest::header::HeaderValue;

/// Why a part is not the part that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "asked for the bytes from {offset} to the end of {size}, the registry does not give exactly those"
)]
pub struct WrongRange {
    /// The first byte that was asked for.
    pub offset: u64,
    /// The length of the whole.
    pub size: u64,
}

/// The value of `Range` for everything from `offset` to the end of `size`.
///
/// The end is named although it need not be: crane's registry answers 416 to an open range.
pub(super) fn to_end(offset: u64, size: u64) -> HeaderValue {
    // Digits and ASCII letters are always a valid value.
    HeaderValue::try_from(format!("bytes={offset}-{}", size.saturating_sub(1)))
        .unwrap_or_else(|_| HeaderValue::from_static("bytes=0-"))
}

/// Checks that a `Content-Range` names exactly the bytes from `offset` to the end of `size`.
pub fn check(
    content_range: Option<&HeaderValue>,
    offset: u64,
    size: u64,
) -> Result<(), WrongRange> {
    let found = content_range
        .and_then(|value| value.to_str().ok())
        .and_then(parse);
    match found {
        Some((first, last, whole))
            if first == offset
                && last.checked_add(1) == Some(size)
                && whole.is_none_or(|whole| whole == size) =>
        {
            Ok(())
        }
        _ => Err(WrongRange { offset, size }),
    }
}

/// First byte, last byte and, where it is known, the length of the whole: `bytes 2-9/10`.
fn parse(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (part, whole) = rest.trim().split_once('/')?;
    let (first, last) = part.split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let whole = match whole {
        "*" => None,
        number => Some(decimal(number)?),
    };
    Some((decimal(first)?, decimal(last)?, whole))
}

fn decimal(text: &str) -> Option<u64> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        check(HeaderValue::from_str(text).ok().as_ref(), 10, 100).is_ok()
    }

    #[test]
    fn only_the_part_that_was_asked_for_is_taken() {
        for good in ["bytes 10-99/100", "bytes 10-99/*", "Bytes 10-99/100"] {
            assert!(accepts(good), "{good}");
        }
        for bad in [
            "",
            "bytes 0-99/100",
            "bytes 10-98/100",
            "bytes 10-99/101",
            "bytes 11-99/100",
            "bytes 10-100/100",
            "bytes */100",
            "bytes 10-99",
            "10-99/100",
            "items 10-99/100",
            "bytes +10-99/100",
            "bytes 10-18446744073709551615/100",
            "bytes 10-99999999999999999999/100",
        ] {
            assert!(!accepts(bad), "{bad}");
        }
        assert!(check(None, 10, 100).is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_taken_or_refused_without_a_panic(text in "[ -~]{0,60}") {
            let _ = accepts(&text);
        }

        #[test]
        fn what_is_written_as_specified_is_taken(offset in 0u64..1_000_000, rest in 1u64..1_000_000) {
            let size = offset + rest;
            let header = HeaderValue::try_from(format!("bytes {offset}-{}/{size}", size - 1)).unwrap();
            prop_assert_eq!(check(Some(&header), offset, size), Ok(()));
        }
    }
}
