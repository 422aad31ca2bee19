//! Reading the `Cookie` header.

/// The names and values of the cookies in one header line (RFC 6265bis, section 4.2), in their order.
///
/// What has no `=` has no name and is passed over. Neither names nor values are decoded or unquoted: what a server
/// sets is what it gets back.
pub(crate) fn parse(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = split(line);
    pairs.filter_map(|pair| {
        // Names are short: to look at one character after the other is faster than to begin a search.
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((trim(&pair[..at]), trim(&pair[at + 1..])))
    })
}

/// What stands between semicolons.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let Some(at) = memchr::memchr(b';', line) else {
            return rest.take();
        };
        rest = Some(&line[at + 1..]);
        Some(&line[..at])
    })
}

/// Without the blanks at either end.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(line: &str) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        parse(line.as_bytes())
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn lines_are_cookies_in_their_order() {
        assert_eq!(parsed("a=1; b=2"), [("a", "1"), ("b", "2")]);
        assert_eq!(parsed("a=1;b=2;a=3"), [("a", "1"), ("b", "2"), ("a", "3")]);
        assert_eq!(parsed(" a\t=  1 ;;; b = "), [("a", "1"), ("b", "")]);
        assert_eq!(parsed("a=b=c; =x; nameless"), [("a", "b=c"), ("", "x")]);
        assert_eq!(parsed("a=\"quoted\"; b=%20"), [("a", "\"quoted\""), ("b", "%20")]);
        assert_eq!(parsed(""), []);
        assert_eq!(parsed("; ;"), []);
    }

    proptest! {
        #[test]
        fn what_a_browser_sends_is_read_back(
            cookies in prop::collection::vec(("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", "[!#-+--:<-\\[\\]-~]{0,12}"), 0..6),
        ) {
            let line: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let line = line.join("; ");
            let expected: Vec<_> = cookies.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            prop_assert_eq!(parsed(&line), expected);
        }

        #[test]
        fn whatever_comes_is_read_without_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            for (name, value) in parse(&line) {
                prop_assert!(!name.contains(&b'=') && !name.contains(&b';') && !value.contains(&b';'));
                prop_assert_eq!(trim(name), name);
                prop_assert_eq!(trim(value), value);
            }
        }
    }
}
