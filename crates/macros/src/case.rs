//! [`Case`]: the case of stored names.

/// A convention for names of several words. Names of fields are in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Snake,
    Camel,
    Pascal,
    Kebab,
    ScreamingSnake,
}

impl Case {
    /// All cases, with their names in the case itself.
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Snake, "snake_case"),
        (Self::Camel, "camelCase"),
        (Self::Pascal, "PascalCase"),
        (Self::Kebab, "kebab-case"),
        (Self::ScreamingSnake, "SCREAMING_SNAKE_CASE"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(case, _)| *case)
    }

    /// Returns the names of all cases, for messages.
    pub(crate) fn known() -> String {
        Self::NAMES.map(|(_, name)| format!("`{name}`")).join(", ")
    }

    /// Converts the name of a field to this case.
    pub(crate) fn apply(self, field: &str) -> String {
        match self {
            Self::Snake => field.to_owned(),
            Self::Camel => join_capitalised(field, true),
            Self::Pascal => join_capitalised(field, false),
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingSnake => field.to_uppercase(),
        }
    }
}

/// Joins words, and capitalises them, except the first one if `keep_first`.
fn join_capitalised(field: &str, keep_first: bool) -> String {
    let words = field.split('_').filter(|word| !word.is_empty());
    words
        .enumerate()
        .flat_map(|(index, word)| {
            let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            let first = if index == 0 && keep_first {
                first.to_owned()
            } else {
                first.to_uppercase()
            };
            [first, rest.to_owned()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_written_in_itself() {
        for (case, name) in Case::NAMES {
            let words = if case == Case::ScreamingSnake {
                "screaming_snake_case".to_owned()
            } else {
                name.replace("Case", "_case").replace('-', "_").to_lowercase()
            };
            assert_eq!(case.apply(&words), name);
            assert_eq!(Case::named(name), Some(case));
        }
        assert_eq!(Case::named("Camel"), None);
    }

    #[test]
    fn names_of_one_word_and_repeated_underscores_are_converted() {
        assert_eq!(Case::Camel.apply("cart"), "cart");
        assert_eq!(Case::Pascal.apply("cart"), "Cart");
        assert_eq!(Case::Camel.apply("_last__seen_"), "lastSeen");
        assert_eq!(Case::Pascal.apply("état_civil"), "ÉtatCivil");
        assert_eq!(Case::Camel.apply("line_2"), "line2");
        assert_eq!(Case::Camel.apply("__"), "");
    }
}
