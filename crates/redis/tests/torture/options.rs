//! What is asked for on the command line.

use crate::nemesis::Nemesis;

/// Which nemeses, for how long, and with which seed.
#[derive(Debug)]
pub(crate) struct Options {
    /// For how long each of them; its own short time if nothing is said.
    pub(crate) seconds: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) list: bool,
    chosen: Vec<&'static str>,
    /// As other tests have them: parts of names.
    filters: Vec<String>,
}

impl Options {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seconds: None,
            seed: sessile_testkit::seed(),
            list: false,
            chosen: Vec::new(),
            filters: Vec::new(),
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            let number = |text: String| {
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{argument} takes a number, and {text} is none"))
            };
            match argument.as_str() {
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--seed" => options.seed = number(value()?)?,
                "--nemesis" => {
                    let name = value()?;
                    let nemesis = Nemesis::ALL.iter().find(|nemesis| nemesis.name == name);
                    options.chosen.push(nemesis.ok_or_else(|| unknown(&name))?.name);
                }
                "--list" => options.list = true,
                // What is meant for the usual harness, which this test does without.
                option if option.starts_with('-') => {}
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// Those that are asked for; without a wish, those that do not take long.
    pub(crate) fn nemeses(&self) -> impl Iterator<Item = &'static Nemesis> {
        Nemesis::ALL.iter().filter(|nemesis| {
            let fits = |filter: &String| "torture".contains(filter.as_str()) || nemesis.name.contains(filter.as_str());
            match (self.chosen.as_slice(), self.filters.as_slice()) {
                ([], []) => nemesis.short || self.seconds.is_some(),
                ([], filters) => filters.iter().any(fits),
                (chosen, _) => chosen.contains(&nemesis.name),
            }
        })
    }

    /// How to do the same again with one of them.
    pub(crate) fn again(&self, nemesis: &Nemesis) -> String {
        let seconds = self.seconds.unwrap_or(nemesis.seconds);
        let (name, seed) = (nemesis.name, self.seed);
        format!("cargo xtask torture redis --nemesis {name} --seconds {seconds} --seed {seed}")
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = Nemesis::ALL.iter().map(|nemesis| nemesis.name).collect();
    format!("there is no nemesis {name}; there are {}", known.join(", "))
}
