//! Reading the `Cookie` header.

/// The names and values of the cookies in one header line (RFC 6265bis, section 4.2), in their order.
///
/// What has no `=` has no name and is passed over. Neither names nor values are decoded or unquoted: what a server
/// sets is what it gets back.
pub(crate) fn parse(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((trim(&pair[..at]), trim(&pair[at + 1..])))
    })
}

/// Without the blanks at either end.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
