//! Parses the `Cookie` header.

/// One cookie of a request, name and value, without leading blanks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookie<'a>(&'a [u8]);

/// Iterates over the cookies in one header line (RFC 6265bis, section 4.2).
pub(crate) fn cookies(line: &[u8]) -> impl Iterator<Item = Cookie<'_>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = trim_start(rest?);
        let end = memchr::memchr(b';', line);
        rest = end.map(|end| &line[end + 1..]);
        Some(Cookie(&line[..end.unwrap_or(line.len())]))
    })
}

impl<'a> Cookie<'a> {
    /// Returns the value, if the cookie has this name.
    ///
    /// Neither names nor values are decoded or unquoted, so a server gets back exactly the text it set. A cookie
    /// without `=` has no name.
    #[inline]
    pub(crate) fn value_of(self, name: &str) -> Option<&'a [u8]> {
        // Most cookies have other names, most of which the byte after the name rules out.
        let value = match self.0.get(name.len()..)? {
            [b'=', value @ ..] => value,
            rest @ [b' ' | b'\t', ..] => trim_start(rest).strip_prefix(b"=")?,
            _ => return None,
        };
        self.0.starts_with(name.as_bytes()).then(|| trim(value))
    }
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Removes the blanks at both ends.
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

    /// Parses the names and values of all cookies with a name, as the specification describes it.
    fn parsed(line: &[u8]) -> Vec<(&[u8], &[u8])> {
        let pairs = line.split(|byte| *byte == b';').filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((trim(&pair[..at]), trim(&pair[at + 1..])))
        });
        pairs.collect()
    }

    fn values_of<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
        let values = cookies(line.as_bytes()).filter_map(|cookie| cookie.value_of(name));
        values.map(|value| std::str::from_utf8(value).unwrap()).collect()
    }

    #[test]
    fn cookies_are_parsed_in_their_order() {
        assert_eq!(values_of("a=1; b=2", "a"), ["1"]);
        assert_eq!(values_of("a=1; b=2", "b"), ["2"]);
        assert_eq!(values_of("a=1;b=2;a=3", "a"), ["1", "3"]);
        assert_eq!(values_of(" a\t=  1 ;;; b = ", "a"), ["1"]);
        assert_eq!(values_of(" a\t=  1 ;;; b = ", "b"), [""]);
        assert_eq!(values_of("a=b=c; =x; nameless", "a"), ["b=c"]);
        assert_eq!(values_of("a=\"quoted\"; b=%20", "a"), ["\"quoted\""]);
        assert_eq!(values_of("a=\"quoted\"; b=%20", "b"), ["%20"]);
        assert_eq!(values_of("", "a"), [""; 0]);
        assert_eq!(values_of("; ;", "a"), [""; 0]);
    }

    #[test]
    fn a_name_with_the_same_prefix_is_another_name() {
        for line in [
            "SIDE=1",
            "SI=1",
            "SID",
            "SID ",
            "SID x=1",
            "x; SIDSID=1",
            "sid=1",
            "XSID=1",
        ] {
            assert_eq!(values_of(line, "SID"), [""; 0], "{line}");
        }
    }

    proptest! {
        #[test]
        fn cookies_of_browsers_are_read_back(
            sent in prop::collection::vec(("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", "[!#-+--:<-\\[\\]-~]{0,12}"), 0..6),
        ) {
            let line: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let line = line.join("; ");
            for (name, _) in &sent {
                let of_name = sent.iter().filter(|(other, _)| other == name);
                let expected: Vec<_> = of_name.map(|(_, value)| value.as_str()).collect();
                prop_assert_eq!(values_of(&line, name), expected);
            }
        }

        /// Uses few different characters, so that random lines contain many cookies.
        #[test]
        fn lines_are_parsed_as_specified(line in "[ab =;\t]{0,40}", name in "[ab]{1,3}") {
            let all = parsed(line.as_bytes());
            let of_name = all.iter().filter(|(other, _)| *other == name.as_bytes());
            let expected: Vec<_> = of_name.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect();
            prop_assert_eq!(values_of(&line, &name), expected);
        }

        #[test]
        fn no_line_causes_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            for (name, _) in parsed(&line) {
                let Ok(name) = std::str::from_utf8(name) else { continue };
                for value in cookies(&line).filter_map(|cookie| cookie.value_of(name)) {
                    prop_assert!(!value.contains(&b';'));
                    prop_assert_eq!(trim(value), value);
                }
            }
        }
    }
}
