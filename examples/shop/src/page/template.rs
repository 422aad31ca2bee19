//! Fills in templates.

use std::fmt::Write;

/// Replaces each `{{name}}` in a template. Does not expand inserted values.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            page.push_str(value);
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Escapes text for HTML, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                // A numeric reference is valid in all of these places.
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserted_values_are_not_expanded() {
        let page = fill(
            "<{{a}}|{{b}}|{{c}}>",
            &[("a", "{{b}}".to_owned()), ("b", "2".to_owned())],
        );
        assert_eq!(page, "<{{b}}|2|>");
    }

    #[test]
    fn no_text_can_become_a_tag_or_leave_its_attribute() {
        let escaped = escape(r#"<script>"'&amp;"#);
        assert_eq!(escaped, "&#60;script&#62;&#34;&#39;&#38;amp;");
    }
}
