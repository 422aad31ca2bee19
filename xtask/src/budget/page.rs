//! [`Page`]: the file with the budget.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::Failure;

/// The costs of a request, less those of the same request to a server without sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Costs {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// The costs of each scenario.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    lines: BTreeMap<String, Costs>,
}

const HEAD: &str = "\
# What a request to sessile in memory costs over the same request without sessions. Written by `cargo xtask budget
# --write`, never by hand; what it means is written down in docs/performance.md.
";

impl Page {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).ok_or_else(|| format!("{} was not written by this task", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        fs::write(path, format!("{HEAD}{self}")).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("\nWritten to {}.", path.display());
        Ok(())
    }

    pub(crate) fn put(&mut self, scenario: &str, costs: Costs) {
        self.lines.insert(scenario.to_owned(), costs);
    }

    pub(crate) fn get(&self, scenario: &str) -> Option<Costs> {
        self.lines.get(scenario).copied()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut page = Self::default();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        // The first line names the columns.
        for line in lines.skip(1) {
            let mut words = line.split_whitespace();
            let (scenario, instructions, allocations) = (words.next()?, words.next()?, words.next()?);
            let costs = Costs {
                instructions: instructions.parse().ok()?,
                allocations: allocations.parse().ok()?,
            };
            page.put(scenario, costs);
        }
        Some(page)
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:>12} {:>12}", "scenario", "instructions", "allocations")?;
        for (scenario, costs) in &self.lines {
            writeln!(f, "{scenario:<12} {:>12} {:>12}", costs.instructions, costs.allocations)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_page_can_be_read() {
        let mut page = Page::default();
        for (scenario, instructions, allocations) in [("read", 1_234, 5), ("create", 9_876, 0)] {
            let costs = Costs {
                instructions,
                allocations,
            };
            page.put(scenario, costs);
        }
        assert_eq!(Page::parse(&format!("{HEAD}{page}")), Some(page));
    }

    #[test]
    fn another_text_is_not_a_page() {
        assert_eq!(Page::parse("scenario instructions\nread a lot"), None);
    }
}
