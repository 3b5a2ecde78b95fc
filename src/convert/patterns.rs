// SPDX-License-Identifier: Apache-2.0

//! Patterns of other tools as ours, which match a whole tag.

/// An expression that other tools look for anywhere in a tag, such as Go's `MatchString`, as patterns of which one must
/// match: `^` and `$` belong to one alternative only.
pub(super) fn anywhere(expression: &str) -> Vec<String> {
    let (flags, expression) = flags(expression);
    alternatives(expression)
        .into_iter()
        .map(|alternative| format!("{flags}{}", anchored(alternative, true, true)))
        .collect()
}

/// An expression that regsync puts between `^` and `$` without a group around it: of alternatives only the first one
/// begins with the tag, and only the last one ends with it.
pub(super) fn between_anchors(expression: &str) -> Vec<String> {
    let expression = expression.strip_prefix('^').unwrap_or(expression);
    let (flags, expression) = flags(expression);
    let alternatives = alternatives(expression);
    let last = alternatives.len().saturating_sub(1);
    alternatives
        .into_iter()
        .enumerate()
        .map(|(index, alternative)| {
            format!("{flags}{}", anchored(alternative, index > 0, index < last))
        })
        .collect()
}

/// The one tag that a pattern stands for.
pub(super) fn literal(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(|next| "._-".contains(*next))?),
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '-' | '_' => text.push(character),
            _ => return None,
        }
    }
    (!text.is_empty()).then_some(text)
}

/// An expression with groups that is looked for anywhere, as one that matches the whole tag with the same groups.
pub(super) fn extracting(expression: &str) -> String {
    match alternatives(expression).as_slice() {
        [only] => {
            let pattern = anchored(only, false, true);
            if only.starts_with(['^']) || only.starts_with(".*") {
                pattern
            } else {
                format!(".*?{pattern}")
            }
        }
        _ => format!(".*?(?:{expression}).*"),
    }
}

/// A glob of `path.Match` or doublestar, of any characters, as a pattern. `{a,b}` stands for either.
pub(super) fn glob(glob: &str) -> String {
    let mut pattern = String::new();
    let mut depth = 0_u32;
    let mut characters = glob.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' => {
                while characters.next_if_eq(&'*').is_some() {}
                pattern.push_str(".*");
            }
            '?' => pattern.push('.'),
            '[' => {
                pattern.push('[');
                if characters
                    .next_if(|next| matches!(next, '!' | '^'))
                    .is_some()
                {
                    pattern.push('^');
                }
                for inner in characters.by_ref() {
                    pattern.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '{' => {
                depth += 1;
                pattern.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                pattern.push(')');
            }
            ',' if depth > 0 => pattern.push('|'),
            '\\' => {
                pattern.push('\\');
                pattern.extend(characters.next());
            }
            '.' | '+' | '(' | ')' | '|' | '^' | '$' | '}' => {
                pattern.push('\\');
                pattern.push(character);
            }
            other => pattern.push(other),
        }
    }
    pattern
}

/// The globs that a glob with `{a,b}` stands for.
pub(super) fn braces(text: &str) -> Vec<String> {
    let open = text.find('{');
    let Some((open, close)) =
        open.and_then(|open| Some((open, open + text.get(open..)?.find('}')?)))
    else {
        return vec![text.to_owned()];
    };
    let (Some(before), Some(inside), Some(behind)) = (
        text.get(..open),
        text.get(open + 1..close),
        text.get(close + 1..),
    ) else {
        return vec![text.to_owned()];
    };
    let rest = braces(behind);
    inside
        .split(',')
        .flat_map(|choice| {
            rest.iter()
                .map(move |rest| format!("{before}{}{rest}", choice.trim()))
        })
        .collect()
}

/// One alternative that may begin or end anywhere, unless it says otherwise.
fn anchored(alternative: &str, may_begin: bool, may_end: bool) -> String {
    let (begins, alternative) = match alternative.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, alternative),
    };
    let (ends, alternative) = match alternative.strip_suffix('$') {
        Some(rest) if !ends_escaped(rest) => (true, rest),
        _ => (false, alternative),
    };
    let before = may_begin && !begins && !alternative.starts_with(".*");
    let ends_open = alternative
        .strip_suffix(".*")
        .is_some_and(|rest| !ends_escaped(rest));
    let behind = may_end && !ends && !ends_open;
    let any = |is: bool| if is { ".*" } else { "" };
    match (alternative.is_empty(), before || behind) {
        (true, true) => ".*".to_owned(),
        _ => format!("{}{alternative}{}", any(before), any(behind)),
    }
}

fn ends_escaped(text: &str) -> bool {
    text.chars().rev().take_while(|last| *last == '\\').count() % 2 == 1
}

/// The alternatives of an expression that no group holds together.
fn alternatives(expression: &str) -> Vec<&str> {
    let (mut depth, mut in_class, mut start) = (0_i32, false, 0);
    let mut alternatives = Vec::new();
    let mut characters = expression.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            '|' if !in_class && depth == 0 => {
                alternatives.extend(expression.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    alternatives.extend(expression.get(start..));
    alternatives
}

/// Flags such as `(?i)`, which hold for all alternatives behind them, and the rest.
fn flags(expression: &str) -> (&str, &str) {
    let end = expression
        .strip_prefix("(?")
        .and_then(|rest| rest.find(|character: char| !character.is_ascii_alphabetic()))
        .map(|end| end + 2);
    match end {
        Some(end) if expression.get(end..=end) == Some(")") => expression.split_at(end + 1),
        _ => ("", expression),
    }
}

/// A pattern as a glob, where that says the same and has a wildcard: a glob without one is a tag that must exist.
pub(super) fn as_glob(pattern: &str) -> Option<String> {
    let mut glob = String::new();
    let mut is_open = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                escaped @ ('.' | '-' | '_') => glob.push(escaped),
                _ => return None,
            },
            '.' if characters.next_if_eq(&'*').is_some() => {
                is_open = true;
                glob.push('*');
            }
            '.' if !matches!(characters.peek(), Some('+' | '?' | '{')) => {
                is_open = true;
                glob.push('?');
            }
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '-' | '_'
                if !matches!(characters.peek(), Some('*' | '+' | '?' | '{')) =>
            {
                glob.push(character);
            }
            _ => return None,
        }
    }
    is_open.then_some(glob)
}

/// An expression between anchors as globs of repositories, where they say the same. What stands for any characters
/// goes across components.
pub(super) fn repository_globs(expression: &str) -> Option<Vec<String>> {
    let expression = expression.strip_prefix('^').unwrap_or(expression);
    let expression = expression.strip_suffix('$').unwrap_or(expression);
    if expression == ".*" || expression == ".+" {
        return Some(vec!["**".to_owned()]);
    }
    let (start, is_open) = match expression.strip_suffix(".*") {
        Some(start) => (start, true),
        None => (expression, false),
    };
    let mut name = String::new();
    let mut characters = start.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.push(characters.next().filter(|next| "./-_".contains(*next))?),
            '0'..='9' | 'a'..='z' | '-' | '_' | '/' => name.push(character),
            _ => return None,
        }
    }
    Some(match (is_open, name.ends_with('/')) {
        (false, _) => vec![name],
        (true, true) => vec![format!("{name}**")],
        (true, false) => vec![format!("{name}*"), format!("{name}*/**")],
    })
}
